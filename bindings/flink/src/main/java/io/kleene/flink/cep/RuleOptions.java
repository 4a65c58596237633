package io.kleene.flink.cep;

import java.util.List;
import java.util.Objects;
import java.util.function.Function;

/**
 * What a translation cannot know from the pattern. Each method returns changed options and leaves
 * the original as it is.
 *
 * <pre>{@code
 * RuleOptions options = RuleOptions.defaults()
 *     .ruleName("guessed")
 *     .key("user")
 *     .eventType("login")
 *     .timeouts(true);
 * }</pre>
 */
public final class RuleOptions {
  private static final RuleOptions DEFAULTS =
      new RuleOptions(
          "from_flink", List.of(), null, List.of(), Names::ofClass, (step, c) -> null, false);

  private final String ruleName;
  private final List<String> key;
  private final String eventType;
  private final List<String> streamTypes;
  private final Function<Class<?>, String> typeName;
  private final ConditionText conditionText;
  private final boolean timeouts;

  private RuleOptions(
      String ruleName,
      List<String> key,
      String eventType,
      List<String> streamTypes,
      Function<Class<?>, String> typeName,
      ConditionText conditionText,
      boolean timeouts) {
    this.ruleName = Objects.requireNonNull(ruleName);
    this.key = List.copyOf(key);
    this.eventType = eventType;
    this.streamTypes = List.copyOf(streamTypes);
    this.typeName = Objects.requireNonNull(typeName);
    this.conditionText = Objects.requireNonNull(conditionText);
    this.timeouts = timeouts;
  }

  /** Returns the options that say nothing: no key, no event type, no texts of conditions. */
  public static RuleOptions defaults() {
    return DEFAULTS;
  }

  /** Sets the name of the rule. The default is {@code from_flink}. */
  public RuleOptions ruleName(String name) {
    return new RuleOptions(
        name, key, eventType, streamTypes, typeName, conditionText, timeouts);
  }

  /**
   * Sets the fields of {@code keyBy}. Each is a part of the rule's {@code key}, written as in a
   * rule: {@code key("user")}, {@code key("`host.id`", "user")}, or
   * {@code key("host { dns: agent }")}. Without it, the rule has no key, and all events form one
   * stream.
   */
  public RuleOptions key(String... parts) {
    return new RuleOptions(
        ruleName, List.of(parts), eventType, streamTypes, typeName, conditionText, timeouts);
  }

  /**
   * Sets the event type of the steps that have no {@code subtype()}: the type of the stream's
   * elements. Without it, such a step is {@code any event} if other steps have a {@code subtype()},
   * and a placeholder otherwise.
   */
  public RuleOptions eventType(String name) {
    return new RuleOptions(ruleName, key, name, streamTypes, typeName, conditionText, timeouts);
  }

  /**
   * Sets the event types of the stream, for {@code from}. Without it, the rule has {@code from *}
   * where it matters which other events there are.
   */
  public RuleOptions streamTypes(String... names) {
    return new RuleOptions(
        ruleName, key, eventType, List.of(names), typeName, conditionText, timeouts);
  }

  /**
   * Sets how the event type of a class in {@code subtype()} is named. The default is the simple
   * name in lower case with underscores: {@code order_paid} for {@code OrderPaid}.
   */
  public RuleOptions typeName(Function<Class<?>, String> name) {
    return new RuleOptions(ruleName, key, eventType, streamTypes, name, conditionText, timeouts);
  }

  /** Sets where the text of conditions comes from. Without it, each one is a placeholder. */
  public RuleOptions conditionText(ConditionText text) {
    return new RuleOptions(ruleName, key, eventType, streamTypes, typeName, text, timeouts);
  }

  /**
   * Sets whether the rule reports timeouts, as a {@code TimedOutPartialMatchHandler} does. The
   * default is false.
   */
  public RuleOptions timeouts(boolean report) {
    return new RuleOptions(ruleName, key, eventType, streamTypes, typeName, conditionText, report);
  }

  String ruleName() {
    return ruleName;
  }

  List<String> key() {
    return key;
  }

  String eventType() {
    return eventType;
  }

  List<String> streamTypes() {
    return streamTypes;
  }

  String typeName(Class<?> type) {
    return typeName.apply(type);
  }

  ConditionText conditionText() {
    return conditionText;
  }

  boolean timeouts() {
    return timeouts;
  }
}
