package io.kleene.flink;

import java.io.IOException;
import java.io.Serializable;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.connector.sink2.Sink;
import org.apache.flink.api.connector.sink2.SinkWriter;
import org.apache.flink.api.connector.sink2.WriterInitContext;
import org.apache.flink.api.java.typeutils.GenericTypeInfo;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.PipelineOptions;
import org.apache.flink.configuration.RestartStrategyOptions;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.ProcessFunction;
import org.apache.flink.util.Collector;
import org.apache.flink.util.FileUtils;
import org.apache.flink.util.OutputTag;

/** Runs rules over a file in one job on a local cluster, and returns what {@code kleene run} prints. */
final class FileJob {
  /** Records that are no events, and late events once more. */
  private static final OutputTag<FileEvent> NOTED =
      new OutputTag<>("noted", TypeInformation.of(FileEvent.class));

  private final Path rules;
  private final Path file;
  String type;
  String typeField = "type";
  long outOfOrder;
  int parallelism = 2;
  int watermarkEvery = 1;
  long checkpointInterval;

  FileJob(Path rules, Path file) {
    this.rules = rules;
    this.file = file;
  }

  /** Returns the job with the same options for other files. */
  FileJob with(Path rules, Path file) {
    FileJob job = new FileJob(rules, file);
    job.type = type;
    job.typeField = typeField;
    job.outOfOrder = outOfOrder;
    job.parallelism = parallelism;
    job.watermarkEvery = watermarkEvery;
    job.checkpointInterval = checkpointInterval;
    return job;
  }

  /** What a job has found and counted. */
  static final class Outcome {
    private record Result(KleeneResult.Kind kind, Instant end, String json) {}

    private record Refused(long line, String reason) {}

    /** In place of a line: the operator has rejected the event. */
    private static final long OF_A_RULE = Long.MAX_VALUE;

    private final Queue<Result> results = new ConcurrentLinkedQueue<>();
    private final Queue<Refused> refused = new ConcurrentLinkedQueue<>();
    private final Map<String, Long> counts = new ConcurrentHashMap<>();

    private void count(String what) {
      counts.merge(what, 1L, Long::sum);
    }

    private void addNoted(FileEvent event) {
      if (event.isLate) {
        count("late");
      } else if (event.reason == null) {
        count("unknown");
      } else {
        refused.add(new Refused(event.line, event.reason));
      }
    }

    private void addRejected(RejectedEvent<Map<String, Object>> event) {
      refused.add(new Refused(OF_A_RULE, event.toString()));
    }

    private void addResult(KleeneResult result) {
      results.add(new Result(result.getKind(), result.getEnd(), result.toJson()));
    }

    /** Returns the number of results of a kind. */
    long count(KleeneResult.Kind kind) {
      return results.stream().filter(result -> result.kind == kind).count();
    }

    long events() {
      return counts.getOrDefault("events", 0L);
    }

    /** Returns the number of events that came after their time had passed. */
    long late() {
      return counts.getOrDefault("late", 0L);
    }

    /** Returns how often operators dropped a late event: that of each key whose rules read it. */
    long dropped() {
      return counts.getOrDefault("dropped", 0L);
    }

    long unknown() {
      return counts.getOrDefault("unknown", 0L);
    }

    long rejected() {
      return refused.size();
    }

    /** Returns the reasons for the first rejected events. */
    List<String> reasons(int limit) {
      return refused.stream()
          .sorted(Comparator.comparingLong(Refused::line))
          .limit(limit)
          .map(one -> one.line == OF_A_RULE ? one.reason : "line " + one.line + ": " + one.reason)
          .toList();
    }

    /** Returns the lines of JSON, ordered by {@code end} and then by text. */
    List<String> lines() {
      List<Result> sorted = new ArrayList<>(results);
      sorted.sort(Comparator.comparing(Result::end).thenComparing(Result::json));
      return sorted.stream().map(Result::json).toList();
    }
  }

  /** Runs the job to its end. */
  Outcome run() throws Exception {
    FileSettings settings =
        new FileSettings(
            file.toString(),
            NativeEngine.load(RuleTexts.ofPath(rules, Map.of()), true).plan(),
            type,
            typeField,
            "ts",
            outOfOrder,
            watermarkEvery);
    String job = UUID.randomUUID().toString();
    Outcome outcome = new Outcome();
    Into.JOBS.put(job, outcome);
    Path checkpoints = Files.createTempDirectory("kleene-checkpoints");
    try (StreamExecutionEnvironment env = environment(checkpoints)) {
      build(env, settings, job);
      env.execute("kleene: " + rules.getFileName());
      return outcome;
    } finally {
      Into.JOBS.remove(job);
      // A checkpoint may still be on its way into the folder.
      FileUtils.deleteDirectoryQuietly(checkpoints.toFile());
    }
  }

  private StreamExecutionEnvironment environment(Path checkpoints) {
    Configuration configuration = new Configuration();
    configuration.set(RestartStrategyOptions.RESTART_STRATEGY, "disable");
    // No operator changes an event.
    configuration.set(PipelineOptions.OBJECT_REUSE, true);
    configuration.set(CheckpointingOptions.CHECKPOINT_STORAGE, "filesystem");
    configuration.set(CheckpointingOptions.CHECKPOINTS_DIRECTORY, checkpoints.toUri().toString());
    var env = StreamExecutionEnvironment.getExecutionEnvironment(configuration);
    env.setParallelism(parallelism);
    if (checkpointInterval > 0) {
      env.enableCheckpointing(checkpointInterval);
    }
    return env;
  }

  private void build(StreamExecutionEnvironment env, FileSettings settings, String job)
      throws IOException {
    SingleOutputStreamOperator<Map<String, Object>> events =
        env.fromSource(FileEvents.source(settings), FileEvents.watermarks(), "file")
            .setParallelism(1)
            .process(new Fields())
            .returns(mapType())
            .setParallelism(1);
    Kleene kleene = Kleene.rules(rules).typeField(typeField).withJson();
    KleeneStreams<Map<String, Object>> found =
        (type == null ? kleene : kleene.eventType(type)).applyTo(events);
    send(job, events, (outcome, event) -> outcome.count("events"), 1);
    send(job, events.getSideOutput(NOTED), Outcome::addNoted, 1);
    send(job, found.results(), Outcome::addResult, parallelism);
    send(job, found.late(), (outcome, event) -> outcome.count("dropped"), 1);
    send(job, found.rejected(), Outcome::addRejected, 1);
  }

  /** Adds what a stream has to the outcome of the job, which is in this process. */
  private static <T> void send(String job, DataStream<T> stream, Note<T> note, int parallelism) {
    stream.sinkTo(new Into<>(job, note)).setParallelism(parallelism);
  }

  /** Events cross the network as maps of any values. */
  @SuppressWarnings({"unchecked", "rawtypes"})
  private static TypeInformation<Map<String, Object>> mapType() {
    return (TypeInformation) new GenericTypeInfo<>(Map.class);
  }

  /** Passes the fields of events on, and all other records to the side. */
  private static final class Fields extends ProcessFunction<FileEvent, Map<String, Object>> {
    private static final long serialVersionUID = 1L;

    @Override
    public void processElement(FileEvent event, Context context, Collector<Map<String, Object>> to) {
      if (event.isEvent()) {
        to.collect(event.fields);
      }
      if (!event.isEvent() || event.isLate) {
        context.output(NOTED, event);
      }
    }
  }

  /** Notes one element of a stream. */
  private interface Note<T> extends Serializable {
    void to(Outcome outcome, T element);
  }

  private record Into<T>(String job, Note<T> note) implements Sink<T> {
    private static final Map<String, Outcome> JOBS = new ConcurrentHashMap<>();

    @Override
    public SinkWriter<T> createWriter(WriterInitContext context) {
      Outcome outcome = JOBS.get(job);
      return new SinkWriter<>() {
        @Override
        public void write(T element, Context context) {
          note.to(outcome, element);
        }

        @Override
        public void flush(boolean isEnd) {}

        @Override
        public void close() {}
      };
    }
  }
}
