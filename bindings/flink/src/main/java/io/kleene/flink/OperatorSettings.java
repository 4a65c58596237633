package io.kleene.flink;

import java.io.Serializable;
import java.util.Map;
import java.util.Set;
import org.apache.flink.util.OutputTag;

/**
 * What a job gives to its operators.
 *
 * @param <T> the Java type of events
 */
record OperatorSettings<T>(
    RuleTexts rules,
    RulePlan plan,
    RulePlan.Group group,
    boolean isFirstGroup,
    Set<String> signatures,
    Map<String, String> parameters,
    EventReader<T> reader,
    boolean withEvents,
    boolean withJson,
    int batchRows,
    Tags<T> tags)
    implements Serializable {

  /** The side outputs. */
  record Tags<T>(
      OutputTag<KleeneResult> timeouts,
      OutputTag<KleeneResult> limits,
      OutputTag<T> late,
      OutputTag<RejectedEvent<T>> rejected,
      OutputTag<RuleVerdict> verdicts)
      implements Serializable {}

  NativeEngine.Settings engine() {
    return new NativeEngine.Settings(
        group.signature(), reader.timeField(), withEvents, withJson);
  }
}
