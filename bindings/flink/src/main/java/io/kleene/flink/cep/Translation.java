package io.kleene.flink.cep;

import java.util.List;
import java.util.Map;

/**
 * A rule for a pattern of Flink CEP.
 *
 * <pre>{@code
 * Translation translation = PatternRules.translate(pattern, options);
 * System.out.println(translation.commentedRule());
 * }</pre>
 *
 * @param rule the text of the rule, without declarations of events
 * @param remarks what could not be kept and what to write instead, in the order of the pattern
 * @param eventTypes the event types that the rule names for classes of {@code subtype()}; each
 *     needs a declaration, {@code event order_paid { .. }}
 */
public record Translation(String rule, List<Remark> remarks, Map<String, Class<?>> eventTypes) {
  /** Makes the lists unmodifiable. */
  public Translation {
    remarks = List.copyOf(remarks);
    eventTypes = Map.copyOf(eventTypes);
  }

  /**
   * Returns true if the rule can be used as it is: it has no placeholder. Its events still have to
   * be declared.
   */
  public boolean isComplete() {
    return remarks.stream().noneMatch(remark -> remark.kind() == Remark.Kind.TODO);
  }

  /** Returns the rule with the remarks as comments before it. */
  public String commentedRule() {
    StringBuilder text = new StringBuilder();
    for (Remark remark : remarks) {
      comment(text, remark.toString());
    }
    return text.append(rule).toString();
  }

  private static void comment(StringBuilder text, String remark) {
    StringBuilder line = new StringBuilder("#");
    for (String word : remark.split("\\s+")) {
      if (line.length() + 1 + word.length() > 100) {
        text.append(line).append('\n');
        line.setLength(0);
        line.append("#  ");
      }
      line.append(' ').append(word);
    }
    text.append(line).append('\n');
  }
}
