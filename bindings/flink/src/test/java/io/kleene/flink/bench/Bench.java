package io.kleene.flink.bench;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.apache.flink.runtime.testutils.MiniClusterResourceConfiguration;
import org.apache.flink.test.util.MiniClusterWithClientResource;
import org.apache.flink.types.Row;

/**
 * Compares Kleene in Flink with Flink CEP, with a join, and with jobs that only move events. It fails
 * if counts of matches or timeouts differ.
 *
 * <p>All jobs have the same source, and run alternately in this process at parallelism 1. Events
 * cross the network stack between source and operator. Processor time is that of the threads of the
 * tasks: one of the source, one of the operator.
 */
public final class Bench {
  private static final String USAGE =
      "bench FOLDER [--rules FOLDER] [--runs N] [--events N] [--cep-share PERCENT] [W1 .. W6]"
          + " [--jobs KLEENE,CEP_LIBRARY,..] [--watermark-millis N]";

  private final Path folder;
  private Path rules = Path.of("../../benches/workloads");
  private int runs = 3;
  private int events = Integer.MAX_VALUE;
  private int cepShare = 100;

  /** How often the source sends a watermark: 200 milliseconds are Flink's default. */
  private long watermarkMillis = 200;

  private final List<Workload> workloads = new ArrayList<>();
  private List<Jobs> jobs = List.of(Jobs.values());
  private boolean isWrong;

  private Bench(String[] args) {
    if (args.length == 0) {
      throw new IllegalArgumentException(USAGE);
    }
    folder = Path.of(args[0]);
    for (int at = 1; at < args.length; at++) {
      switch (args[at]) {
        case "--rules" -> rules = Path.of(args[++at]);
        case "--runs" -> runs = Integer.parseInt(args[++at]);
        case "--events" -> events = Integer.parseInt(args[++at]);
        case "--cep-share" -> cepShare = Integer.parseInt(args[++at]);
        case "--watermark-millis" -> watermarkMillis = Long.parseLong(args[++at]);
        case "--jobs" -> jobs = Arrays.stream(args[++at].split(",")).map(Jobs::valueOf).toList();
        default -> workloads.add(Workload.valueOf(args[at]));
      }
    }
    if (workloads.isEmpty()) {
      workloads.addAll(List.of(Workload.values()));
    }
  }

  /** Runs it. The exit code is 1 if counts differ. */
  public static void main(String[] args) throws Exception {
    Bench bench = new Bench(args);
    MiniClusterWithClientResource cluster =
        new MiniClusterWithClientResource(
            new MiniClusterResourceConfiguration.Builder()
                .setNumberTaskManagers(1)
                .setNumberSlotsPerTaskManager(4)
                .build());
    cluster.before();
    try {
      System.out.println(
          "| workload | job | events | matches | timeouts | wall s | source CPU s | operator CPU s |"
              + " k events per CPU s, busiest thread | all threads |");
      System.out.println("|---|---|---|---|---|---|---|---|---|---|");
      for (Workload workload : bench.workloads) {
        bench.compare(workload);
      }
    } finally {
      cluster.after();
    }
    System.exit(bench.isWrong ? 1 : 0);
  }

  private void compare(Workload workload) throws Exception {
    Row[] all = workload.read(folder, events);
    int few = (int) Math.min(all.length, (long) workload.cepEvents * cepShare / 100);
    // Flink CEP is slow: it gets a part of the events, and so does what is compared with it.
    measured(workload, Arrays.copyOf(all, few), true);
    measured(workload, all, false);
  }

  private void measured(Workload workload, Row[] rows, boolean isPart) throws Exception {
    String text = Files.readString(rules.resolve(workload.name().toLowerCase(Locale.ROOT) + ".cep"));
    List<Jobs> chosen =
        jobs.stream()
            .filter(job -> job != Jobs.JOIN || workload == Workload.W1)
            .filter(job -> isPart ? isOfPart(job) : job != Jobs.CEP_LIBRARY)
            .toList();
    if (isPart && !chosen.contains(Jobs.CEP_LIBRARY)) {
      return;
    }
    Map<Jobs, List<Meter.Measure>> measures = new EnumMap<>(Jobs.class);
    // The first round warms the process up.
    for (int run = 0; run <= runs; run++) {
      for (Jobs job : chosen) {
        System.gc();
        Meter.Measure measure = job.run(workload, text, rows, watermarkMillis);
        if (run > 0) {
          measures.computeIfAbsent(job, first -> new ArrayList<>()).add(measure);
        }
      }
    }
    Meter.Measure first = measures.values().iterator().next().get(0);
    measures.forEach((job, of) -> print(workload, job, rows.length, of, first));
  }

  private static boolean isOfPart(Jobs job) {
    return job == Jobs.KLEENE || job == Jobs.CEP_LIBRARY;
  }

  private void print(
      Workload workload, Jobs job, int events, List<Meter.Measure> of, Meter.Measure first) {
    Meter.Measure median =
        of.stream().sorted(Comparator.comparing(Meter.Measure::all)).toList().get(of.size() / 2);
    List<Long> threads = median.threadNanos();
    System.out.printf(
        Locale.ROOT,
        "| %s | %s | %d | %d | %d | %.2f | %.2f | %.2f | %.0f | %.0f |%n",
        workload,
        job.title,
        events,
        median.counts().getOrDefault(Jobs.MATCHES, 0L),
        median.counts().getOrDefault(Jobs.TIMEOUTS, 0L),
        median.wallNanos() / 1e9,
        threads.get(0) / 1e9,
        threads.get(threads.size() - 1) / 1e9,
        events * 1e6 / median.busiest(),
        events * 1e6 / median.all());
    if (job == Jobs.PACK || job == Jobs.DROP) {
      return;
    }
    for (Meter.Measure measure : of) {
      for (String count : List.of(Jobs.MATCHES, Jobs.TIMEOUTS, "limits", "late", "rejected")) {
        boolean isJoined = job == Jobs.JOIN && count.equals(Jobs.TIMEOUTS);
        long expected = first.counts().getOrDefault(count, 0L);
        long counted = measure.counts().getOrDefault(count, 0L);
        boolean isPlain = count.equals(Jobs.MATCHES) || count.equals(Jobs.TIMEOUTS);
        if (!isJoined && counted != (isPlain ? expected : 0)) {
          System.out.printf(
              "%s, %s: %s is %d, and %d was expected%n",
              workload, job.title, count, counted, isPlain ? expected : 0);
          isWrong = true;
        }
      }
    }
  }
}
