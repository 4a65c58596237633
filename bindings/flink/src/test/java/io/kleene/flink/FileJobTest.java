package io.kleene.flink;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Jobs find what {@code kleene run} finds. The expected lines were written, in the folder {@code
 * runs}, by {@code kleene run RULES -i DATA --end-of-time --out-of-order BOUND | LC_ALL=C sort}.
 */
class FileJobTest {
  private static final Path RUNS = Path.of("src/test/resources/runs");

  @ParameterizedTest
  @Timeout(value = 120, unit = TimeUnit.SECONDS)
  @CsvSource({
    "logins, jsonl, 0s, 1, 1, 0, 36, 13, 2",
    "logins, jsonl, 0s, 3, 1, 0, 36, 13, 2",
    "logins, jsonl, 2s, 2, 1, 10, 9, 13, 2",
    "logins, jsonl, 2s, 2, 64, 0, 9, 13, 2",
    "orders, csv, 0s, 2, 1, 0, 27, 5, 4",
    "orders, csv, 1s, 1, 1, 10, 11, 5, 4",
    "orders, csv, 1s, 3, 64, 0, 11, 5, 4",
  })
  void aJobFindsWhatTheCommandLineFinds(
      String name,
      String format,
      String bound,
      int parallelism,
      int watermarkEvery,
      int checkpointInterval,
      long late,
      long rejected,
      long unknown)
      throws Exception {
    FileJob job = new FileJob(RUNS.resolve(name + ".cep"), RUNS.resolve(name + "." + format));
    job.outOfOrder = InputValues.durationOf(bound);
    job.parallelism = parallelism;
    job.watermarkEvery = watermarkEvery;
    job.checkpointInterval = checkpointInterval;
    FileJob.Outcome outcome = job.run();
    List<String> expected = Files.readAllLines(RUNS.resolve(name + "." + bound + ".expected.jsonl"));
    assertEquals(
        String.join("\n", expected), String.join("\n", outcome.lines().stream().sorted().toList()));
    assertEquals(late, outcome.late());
    if (format.equals("csv")) {
      // Rules of one key read all types.
      assertEquals(late, outcome.dropped());
    }
    assertEquals(rejected, outcome.rejected());
    assertEquals(unknown, outcome.unknown());
  }
}
