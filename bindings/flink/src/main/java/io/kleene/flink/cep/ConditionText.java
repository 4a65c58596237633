package io.kleene.flink.cep;

import org.apache.flink.cep.pattern.conditions.IterativeCondition;

/**
 * Supplies the text of conditions that the translator cannot read.
 *
 * <p>For example, if all conditions of a program are objects of the class {@code MinAmount}:
 *
 * <pre>{@code
 * RuleOptions.defaults().conditionText((step, condition) ->
 *     condition instanceof MinAmount c ? "amount >= " + c.least() : null);
 * }</pre>
 */
@FunctionalInterface
public interface ConditionText {
  /**
   * Returns what goes into the brackets of a step, such as {@code amount >= 100}, or null for a
   * condition that it does not know.
   *
   * <p>It is asked for each condition that {@code where}, {@code or} and {@code until} got.
   * Conditions that were joined by {@code where} and {@code or} come one by one. It can be asked
   * for a condition more than once.
   *
   * @param step the name of the pattern that has the condition
   * @param condition the condition
   */
  String text(String step, IterativeCondition<?> condition);
}
