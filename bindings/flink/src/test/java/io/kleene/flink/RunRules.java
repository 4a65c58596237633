package io.kleene.flink;

import java.io.IOException;
import java.io.OutputStreamWriter;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import org.apache.flink.util.ExceptionUtils;

/** The program of the script {@code run}: rules over a file, in a job on a local cluster. */
public final class RunRules {
  private static final String USAGE =
      """
      usage: run RULES DATA [options]

      RULES is a rule file or a folder of rule files, DATA a file of JSON lines or CSV with a header.

        --out-of-order 5s         accept events that come this much later than newer ones
        --parallelism 2           run this many tasks
        --checkpoint-interval MS  make a checkpoint this often; none by default
        --type-field FIELD        the field with the event type; `type` by default
        --type NAME               the event type of all events
        --watermark-every 1       a watermark after this many events; late events stay the same""";

  private RunRules() {}

  /** Runs the program. */
  public static void main(String[] arguments) throws Exception {
    System.exit(run(arguments));
  }

  private static int run(String[] arguments) throws Exception {
    FileJob job;
    try {
      job = read(new ArrayDeque<>(List.of(arguments)));
    } catch (IllegalArgumentException | FieldValues.WrongType wrong) {
      System.err.println(wrong.getMessage());
      return 2;
    }
    try {
      long began = System.nanoTime();
      FileJob.Outcome outcome = job.run();
      print(outcome);
      summarize(outcome, (System.nanoTime() - began) / 1e9);
      return 0;
    } catch (KleeneException | IllegalArgumentException | UncheckedIOException wrong) {
      System.err.println(wrong.getMessage());
      return 2;
    } catch (Exception failed) {
      System.err.println("the job failed: " + reason(failed));
      return 1;
    }
  }

  /** The innermost cause says what happened; those around it say that a job has failed. */
  private static String reason(Exception failed) {
    return ExceptionUtils.findThrowable(failed, KleeneException.class)
        .map(Throwable::getMessage)
        .orElseGet(() -> ExceptionUtils.stringifyException(failed));
  }

  private static FileJob read(Deque<String> arguments) throws FieldValues.WrongType {
    FileJob options = new FileJob(null, null);
    List<Path> paths = new java.util.ArrayList<>();
    while (!arguments.isEmpty()) {
      String name = arguments.pop();
      switch (name) {
        case "--out-of-order" -> options.outOfOrder = InputValues.durationOf(value(name, arguments));
        case "--parallelism" -> options.parallelism = number(name, arguments);
        case "--checkpoint-interval" -> options.checkpointInterval = number(name, arguments);
        case "--watermark-every" -> options.watermarkEvery = number(name, arguments);
        case "--type-field" -> options.typeField = value(name, arguments);
        case "--type" -> options.type = value(name, arguments);
        default -> {
          if (name.startsWith("-")) {
            throw new IllegalArgumentException("unknown option " + name + "\n" + USAGE);
          }
          paths.add(Path.of(name));
        }
      }
    }
    if (paths.size() != 2) {
      throw new IllegalArgumentException(USAGE);
    }
    if (!Files.exists(paths.get(0)) || !Files.isRegularFile(paths.get(1))) {
      Path missing = Files.exists(paths.get(0)) ? paths.get(1) : paths.get(0);
      throw new IllegalArgumentException("there is no file " + missing);
    }
    return options.with(paths.get(0), paths.get(1));
  }

  private static String value(String name, Deque<String> arguments) {
    if (arguments.isEmpty()) {
      throw new IllegalArgumentException("a value has to follow " + name + "\n" + USAGE);
    }
    return arguments.pop();
  }

  private static int number(String name, Deque<String> arguments) {
    String value = value(name, arguments);
    try {
      int number = Integer.parseInt(value);
      if (number > 0) {
        return number;
      }
    } catch (NumberFormatException error) {
      // Said below.
    }
    throw new IllegalArgumentException(name + " takes a positive number, not " + value);
  }

  private static void print(FileJob.Outcome outcome) throws IOException {
    try (var out =
        new PrintWriter(new OutputStreamWriter(System.out, StandardCharsets.UTF_8), false)) {
      outcome.lines().forEach(line -> out.append(line).append('\n'));
      if (out.checkError()) {
        throw new IOException("the results cannot be written");
      }
    }
  }

  private static void summarize(FileJob.Outcome outcome, double seconds) {
    System.err.printf("events    %d%n", outcome.events());
    System.err.printf("matches   %d%n", outcome.count(KleeneResult.Kind.MATCH));
    System.err.printf("timeouts  %d%n", outcome.count(KleeneResult.Kind.TIMEOUT));
    System.err.printf("limits    %d%n", outcome.count(KleeneResult.Kind.LIMIT));
    System.err.printf("late      %d, dropped %d times%n", outcome.late(), outcome.dropped());
    System.err.printf("rejected  %d%n", outcome.rejected());
    outcome.reasons(3).forEach(reason -> System.err.println("  " + reason));
    System.err.printf("unknown   %d%n", outcome.unknown());
    System.err.printf(java.util.Locale.ROOT, "seconds   %.2f%n", seconds);
  }
}
