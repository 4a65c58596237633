package io.kleene.flink.cep;

import java.util.Objects;
import org.apache.flink.cep.pattern.Pattern;

/**
 * Writes Kleene rules for patterns of Flink CEP.
 *
 * <p>A pattern such as
 *
 * <pre>{@code
 * Pattern<Event, ?> pattern = Pattern.<Event>begin("order", AfterMatchSkipStrategy.skipToNext())
 *     .subtype(OrderCreated.class)
 *     .followedBy("payment").subtype(OrderPaid.class)
 *     .within(Duration.ofMinutes(10));
 * PatternRules.translate(pattern, RuleOptions.defaults().ruleName("paid").key("order_id"));
 * }</pre>
 *
 * <p>becomes
 *
 * <pre>{@code
 * rule paid {
 *   key order_id
 *   match order_created as order -> order_paid as payment
 *   within 10m
 *   skip to next ordered
 * }
 * }</pre>
 *
 * <p>Conditions are Java code, which the translator cannot read. Each one becomes a placeholder,
 * {@code order_created[todo_condition_of_order()] as order}, and a {@link Remark}. There is no such
 * function, so {@code kleene check} refuses the rule until all placeholders are replaced: the rule
 * never matches more than the pattern unnoticed. {@link RuleOptions#conditionText} can supply the
 * texts of conditions whose classes you know.
 */
public final class PatternRules {
  private PatternRules() {}

  /**
   * Returns a rule for a pattern.
   *
   * @param pattern the last pattern of a sequence, as {@code CEP.pattern} takes it
   * @param options what the pattern does not say
   */
  public static Translation translate(Pattern<?, ?> pattern, RuleOptions options) {
    return new RuleWriter(Objects.requireNonNull(options))
        .write(Stage.sequence(Objects.requireNonNull(pattern)), pattern);
  }

  /** Returns a rule for a pattern, with the default options. */
  public static Translation translate(Pattern<?, ?> pattern) {
    return translate(pattern, RuleOptions.defaults());
  }
}
