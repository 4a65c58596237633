package io.kleene.flink.bench;

import io.kleene.flink.NativeUse;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.Locale;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Stream;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.core.execution.SavepointFormatType;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.types.Row;

/**
 * Measures a state of very many keys: W1 with an open order for each of them.
 *
 * <p>The arguments are the number of orders, and KLEENE or CEP_LIBRARY. It prints how long the orders
 * took, the memory of the process, and the time and the size of a savepoint.
 */
final class ManyKeys {
  private static final AtomicLong SENT = new AtomicLong();
  private static final long FIRST_TIME = 1_700_000_000_000L;

  /** All orders are created within nine of the ten minutes that the rule waits for payment. */
  private static final long SPAN = 540_000;

  private static final int TRIES = 6000;

  private ManyKeys() {}

  /** Emits orders, and then nothing until it is cancelled. */
  @SuppressWarnings("deprecation") // The simplest source is an old one.
  static final class Orders
      implements org.apache.flink.streaming.api.functions.source.legacy.SourceFunction<Row> {
    private static final long serialVersionUID = 1L;
    private final long count;
    private volatile boolean isCancelled;

    Orders(long count) {
      this.count = count;
    }

    @Override
    public void run(SourceContext<Row> context) throws Exception {
      for (long order = 0; order < count && !isCancelled; order++) {
        long time = FIRST_TIME + order * SPAN / count;
        synchronized (context.getCheckpointLock()) {
          context.collect(Row.of(time, "order_created", order, order % 100_000, 9.5));
        }
        SENT.set(order + 1);
      }
      while (!isCancelled) {
        Thread.sleep(20);
      }
    }

    @Override
    public void cancel() {
      isCancelled = true;
    }
  }

  /** Runs it. */
  @SuppressWarnings("deprecation") // As above.
  public static void main(String[] args) throws Exception {
    long count = Long.parseLong(args[0]);
    Jobs job = Jobs.valueOf(args[1]);
    Path folder = Files.createTempDirectory("kleene-keys");
    Configuration settings = new Configuration();
    settings.set(CheckpointingOptions.CHECKPOINT_STORAGE, "filesystem");
    settings.set(CheckpointingOptions.CHECKPOINTS_DIRECTORY, folder.toUri().toString());
    StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment(settings);
    env.setParallelism(1);
    DataStream<Row> events =
        env.addSource(new Orders(count), "orders", Workload.W1.rowType())
            .assignTimestampsAndWatermarks(
                WatermarkStrategy.<Row>forMonotonousTimestamps()
                    .withTimestampAssigner((row, known) -> (long) row.getField(Workload.TIME)));
    job.build(Workload.W1, Files.readString(Path.of(args[2])), events);
    long began = System.nanoTime();
    JobClient client = env.executeAsync("many keys");
    try {
      for (int tries = 0; SENT.get() < count; tries++) {
        if (tries == TRIES) {
          throw new IllegalStateException("only " + SENT.get() + " orders were sent");
        }
        Thread.sleep(100);
      }
      System.out.printf(Locale.ROOT, "%d orders: %.1f s%n", count, seconds(began));
      System.gc();
      System.out.println("memory of the process: " + residentKilobytes() / 1024 + " MiB");
      printNative(job, "native memory");
      for (int run = 0; run < 2; run++) {
        began = System.nanoTime();
        client
            .triggerSavepoint(folder.toUri().toString(), SavepointFormatType.NATIVE)
            .get(300, TimeUnit.SECONDS);
        System.out.printf(
            Locale.ROOT, "savepoint: %.2f s, %d MiB%n", seconds(began), bytes(folder) >> 20);
        printNative(job, "native memory after it");
        delete(folder);
        Files.createDirectories(folder);
      }
    } finally {
      client.cancel().get(60, TimeUnit.SECONDS);
      delete(folder);
    }
    System.exit(0);
  }

  private static void printNative(Jobs job, String title) {
    if (job == Jobs.KLEENE) {
      System.out.printf(
          Locale.ROOT,
          "%s: %d MiB, at most %d MiB%n",
          title,
          NativeUse.bytes() >> 20,
          NativeUse.peakBytes() >> 20);
    }
  }

  private static double seconds(long began) {
    return (System.nanoTime() - began) / 1e9;
  }

  private static long residentKilobytes() throws IOException {
    for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
      if (line.startsWith("VmRSS:")) {
        return Long.parseLong(line.replaceAll("\\D", ""));
      }
    }
    return 0;
  }

  private static long bytes(Path folder) throws IOException {
    try (Stream<Path> files = Files.walk(folder)) {
      return files.filter(Files::isRegularFile).mapToLong(ManyKeys::size).sum();
    }
  }

  private static long size(Path file) {
    try {
      return Files.size(file);
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }

  private static void delete(Path folder) throws IOException {
    try (Stream<Path> files = Files.walk(folder)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.deleteIfExists(file);
      }
    }
  }
}
