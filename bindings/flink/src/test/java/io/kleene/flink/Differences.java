package io.kleene.flink;

import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** Compares lists without their order, and says what is missing and what is too much. */
final class Differences {
  private Differences() {}

  static void assertSame(List<String> expected, List<String> actual) {
    Map<String, Integer> counts = new TreeMap<>();
    expected.forEach(line -> counts.merge(line, -1, Integer::sum));
    actual.forEach(line -> counts.merge(line, 1, Integer::sum));
    List<String> lost = lines(counts, true);
    List<String> doubled = lines(counts, false);
    if (!lost.isEmpty() || !doubled.isEmpty()) {
      throw new AssertionError(
          lost.size()
              + " of "
              + expected.size()
              + " lost, "
              + doubled.size()
              + " too much; lost: "
              + lost.stream().limit(5).toList()
              + "; too much: "
              + doubled.stream().limit(5).toList());
    }
  }

  private static List<String> lines(Map<String, Integer> counts, boolean isLost) {
    return counts.entrySet().stream()
        .filter(entry -> isLost ? entry.getValue() < 0 : entry.getValue() > 0)
        .map(entry -> entry.getValue() + " x " + entry.getKey())
        .toList();
  }
}
