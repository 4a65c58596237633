package io.kleene.flink.cep;

import java.time.Duration;
import java.util.Locale;
import java.util.Set;

/** Names and lengths of time as a rule writes them. */
final class Names {
  /** The words that need back-quotes as a name. */
  private static final Set<String> RESERVED =
      Set.of(
          "event", "list", "param", "define", "rule", "test", "use", "about", "severity", "tags",
          "meta", "from", "key", "match", "within", "skip", "report", "emit", "having", "on",
          "suppress", "once", "limit", "without", "next", "any", "as", "until", "for", "of", "prev",
          "and", "or", "not", "in", "like", "is", "null", "true", "false", "if", "then", "else");

  private Names() {}

  /** Returns a name, in back-quotes if it needs them. */
  static String quoted(String name) {
    boolean plain = name.matches("[A-Za-z_][A-Za-z0-9_]*") && !RESERVED.contains(name);
    return plain ? name : "`" + name + "`";
  }

  /** Returns a name that can name a step, as close as possible to that of a pattern. */
  static String ofStep(String name) {
    String printable = name.replaceAll("[`\\p{Cntrl}]", "_");
    return switch (printable) {
      case "" -> "_";
      case "prev", "match" -> printable + "_";
      default -> printable;
    };
  }

  /** Returns the part of a placeholder's name that stands for a step. */
  static String word(String name) {
    return name.replaceAll("[^A-Za-z0-9_]", "_");
  }

  /** Returns {@code order_paid} for {@code OrderPaid}, {@code http_call} for {@code HTTPCall}. */
  static String ofClass(Class<?> type) {
    return type.getSimpleName()
        .replaceAll("([A-Z]+)([A-Z][a-z])", "$1_$2")
        .replaceAll("([a-z0-9])([A-Z])", "$1_$2")
        .toLowerCase(Locale.ROOT);
  }

  /** Returns a positive length of time, such as {@code 1h30m}. */
  static String length(Duration length) {
    StringBuilder text = new StringBuilder();
    long millis = length.toMillis();
    String[] units = {"w", "d", "h", "m", "s", "ms"};
    long[] sizes = {604_800_000, 86_400_000, 3_600_000, 60_000, 1_000, 1};
    // Weeks only where nothing is left over: nobody thinks of ten days as a week and three days.
    for (int i = millis % sizes[0] == 0 ? 0 : 1; i < units.length; i++) {
      long count = millis / sizes[i];
      millis %= sizes[i];
      if (count > 0) {
        text.append(count).append(units[i]);
      }
    }
    return text.isEmpty() ? "0ms" : text.toString();
  }
}
