package io.kleene.flink;

import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.flink.api.common.JobID;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.MemorySize;
import org.apache.flink.configuration.TaskManagerOptions;
import org.apache.flink.core.execution.CheckpointType;
import org.apache.flink.core.execution.SavepointFormatType;
import org.apache.flink.runtime.jobgraph.JobGraph;
import org.apache.flink.runtime.jobgraph.SavepointRestoreSettings;
import org.apache.flink.runtime.minicluster.MiniCluster;
import org.apache.flink.runtime.minicluster.MiniClusterConfiguration;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/** A cluster in this process that runs one job after another. Every wait has an end. */
final class TestCluster implements AutoCloseable {
  private static final long SECONDS = 60;

  private final MiniCluster cluster;

  TestCluster() throws Exception {
    this(new Configuration());
  }

  TestCluster(Configuration configuration) throws Exception {
    configuration.set(TaskManagerOptions.NETWORK_MEMORY_MAX, MemorySize.ofMebiBytes(128));
    configuration.set(TaskManagerOptions.NETWORK_MEMORY_MIN, MemorySize.ofMebiBytes(128));
    if (!configuration.contains(TaskManagerOptions.TASK_OFF_HEAP_MEMORY)) {
      configuration.set(TaskManagerOptions.TASK_OFF_HEAP_MEMORY, MemorySize.ofMebiBytes(256));
    }
    cluster =
        new MiniCluster(
            new MiniClusterConfiguration.Builder()
                .setConfiguration(configuration)
                .setNumTaskManagers(1)
                .setNumSlotsPerTaskManager(4)
                .withRandomPorts()
                .build());
    cluster.start();
  }

  /** Makes a job with checkpoints and restarts, and more settings: names, each with its value. */
  static StreamExecutionEnvironment job(
      int parallelism, Path checkpoints, boolean isUnaligned, String... more) {
    Configuration configuration = new Configuration();
    configuration.setString(
        "execution.checkpointing.externalized-checkpoint-retention", "RETAIN_ON_CANCELLATION");
    configuration.setString("execution.checkpointing.dir", checkpoints.toUri().toString());
    configuration.setString("execution.checkpointing.interval", "50ms");
    configuration.setString("execution.checkpointing.unaligned.enabled", "" + isUnaligned);
    configuration.setString("restart-strategy.type", "fixed-delay");
    configuration.setString("restart-strategy.fixed-delay.attempts", "100");
    configuration.setString("restart-strategy.fixed-delay.delay", "10ms");
    configuration.setString("pipeline.auto-watermark-interval", "20ms");
    for (int index = 0; index < more.length; index += 2) {
      configuration.setString(more[index], more[index + 1]);
    }
    StreamExecutionEnvironment env =
        StreamExecutionEnvironment.getExecutionEnvironment(configuration);
    env.setParallelism(parallelism);
    return env;
  }

  /** Starts a job. */
  JobID start(StreamExecutionEnvironment env) throws Exception {
    return start(env, SavepointRestoreSettings.none());
  }

  /** Starts a job with the state of a savepoint. */
  JobID start(StreamExecutionEnvironment env, SavepointRestoreSettings from) throws Exception {
    JobGraph graph = env.getStreamGraph().getJobGraph();
    graph.setSavepointRestoreSettings(from);
    return start(graph);
  }

  /** Starts a job. */
  JobID start(JobGraph graph) throws Exception {
    return cluster.submitJob(graph).get(SECONDS, TimeUnit.SECONDS).getJobID();
  }

  /** Waits for the end of a job, and throws what it failed with. */
  void finish(JobID job) throws Exception {
    cluster
        .requestJobResult(job)
        .get(SECONDS, TimeUnit.SECONDS)
        .toJobExecutionResult(getClass().getClassLoader());
  }

  /** Runs a job to its end. */
  void run(StreamExecutionEnvironment env) throws Exception {
    finish(start(env));
  }

  /** Stops a job with a savepoint, and returns where it is. */
  String stop(JobID job, Path folder, SavepointFormatType format) throws Exception {
    return stop(job, folder, format, false);
  }

  /** Stops a job with a savepoint, after the end of time if it is to be drained. */
  String stop(JobID job, Path folder, SavepointFormatType format, boolean isDrained)
      throws Exception {
    String savepoint =
        cluster
            .stopWithSavepoint(job, folder.toUri().toString(), isDrained, format)
            .get(SECONDS, TimeUnit.SECONDS);
    finish(job);
    return savepoint;
  }

  /** Takes a checkpoint of a job, stops the job, and returns where the checkpoint is. */
  String cancelAtCheckpoint(JobID job, Path folder) throws Exception {
    long[] number = new long[1];
    await("a checkpoint is taken", Duration.ofSeconds(20), () -> takes(job, number));
    cancel(job);
    return folder.resolve(job.toString()).resolve("chk-" + number[0]).toUri().toString();
  }

  /** Stops a job as it is. */
  void cancel(JobID job) throws Exception {
    cluster.cancelJob(job).get(SECONDS, TimeUnit.SECONDS);
    cluster.requestJobResult(job).get(SECONDS, TimeUnit.SECONDS);
  }

  /** Returns the most bytes of records on their way that a checkpoint of a job has. */
  long mostPersisted(JobID job) throws Exception {
    return cluster
        .getExecutionGraph(job)
        .get(SECONDS, TimeUnit.SECONDS)
        .getCheckpointStatsSnapshot()
        .getSummaryStats()
        .getPersistedDataStats()
        .getMaximum();
  }

  /** Returns true if a job runs no more. */
  boolean hasEnded(JobID job) {
    try {
      return cluster.getJobStatus(job).get(SECONDS, TimeUnit.SECONDS).isGloballyTerminalState();
    } catch (Exception error) {
      throw new AssertionError("the cluster does not say how a job is", error);
    }
  }

  /** Tries to take a checkpoint: it is declined while a task starts or ends. */
  private boolean takes(JobID job, long[] number) {
    try {
      number[0] =
          cluster
              .triggerCheckpoint(job, CheckpointType.CONFIGURED)
              .get(SECONDS, TimeUnit.SECONDS);
      return true;
    } catch (ExecutionException declined) {
      if (hasEnded(job)) {
        throw new AssertionError("the job has ended before its checkpoint", declined);
      }
      return false;
    } catch (InterruptedException | TimeoutException error) {
      throw new AssertionError("a checkpoint takes too long", error);
    }
  }

  /** Returns the states of the tasks of a job, and why they have failed. */
  String states(JobID job) throws Exception {
    StringBuilder text = new StringBuilder();
    cluster
        .getExecutionGraph(job)
        .get(SECONDS, TimeUnit.SECONDS)
        .getAllExecutionVertices()
        .forEach(
            task -> {
              text.append(task.getTaskNameWithSubtaskIndex()).append(": ");
              text.append(task.getExecutionState()).append('\n');
              task.getFailureInfo().ifPresent(why -> text.append(why.getExceptionAsString()));
            });
    return text.toString();
  }

  @Override
  public void close() throws Exception {
    cluster.closeAsync().get(SECONDS, TimeUnit.SECONDS);
  }

  /** Waits until something is so, and fails after a time. */
  static void await(String what, Duration atMost, java.util.function.BooleanSupplier isSo)
      throws InterruptedException {
    long end = System.nanoTime() + atMost.toNanos();
    while (!isSo.getAsBoolean()) {
      if (System.nanoTime() > end) {
        throw new AssertionError("in " + atMost + " it did not happen that " + what);
      }
      Thread.sleep(5);
    }
  }
}
