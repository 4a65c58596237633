package io.kleene.flink.cep;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.kleene.flink.cep.Remark.Kind;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.apache.flink.cep.nfa.aftermatch.AfterMatchSkipStrategy;
import org.apache.flink.cep.pattern.Pattern;
import org.apache.flink.cep.pattern.WithinType;
import org.apache.flink.cep.pattern.conditions.IterativeCondition;
import org.apache.flink.cep.pattern.conditions.RichAndCondition;
import org.apache.flink.cep.pattern.conditions.RichNotCondition;
import org.apache.flink.cep.pattern.conditions.SimpleCondition;
import org.apache.flink.cep.pattern.conditions.SubtypeCondition;
import org.junit.jupiter.api.Test;

/**
 * {@code kleene check} accepts the rules here once their placeholders are replaced, and refuses
 * them before. {@code kleene fmt} changes nothing but some parentheses around conditions.
 */
class PatternRulesTest {
  /** An event of a stream with one type. */
  static class Event {
    boolean ok() {
      return true;
    }
  }

  static class OrderCreated extends Event {}

  static class OrderPaid extends Event {}

  static class OrderCancelled extends Event {}

  /** A condition whose text is known. */
  static class Text extends IterativeCondition<Event> {
    private static final long serialVersionUID = 1;
    private final String text;

    Text(String text) {
      this.text = text;
    }

    @Override
    public boolean filter(Event event, Context<Event> context) {
      return true;
    }
  }

  private static final RuleOptions ONE_TYPE =
      RuleOptions.defaults()
          .ruleName("r")
          .key("user")
          .eventType("e")
          .conditionText((step, condition) -> condition instanceof Text known ? known.text : null);
  private static final RuleOptions SUBTYPES =
      ONE_TYPE.eventType(null).key("order_id");

  private static IterativeCondition<Event> text(String text) {
    return new Text(text);
  }

  /** Begins a pattern with {@code noSkip()}. */
  private static Pattern<Event, Event> begin(String name, String condition) {
    return Pattern.<Event>begin(name).where(text(condition));
  }

  private static void assertRule(String rule, Pattern<Event, ?> pattern, RuleOptions options) {
    assertEquals(rule, PatternRules.translate(pattern, options).rule());
  }

  /** Checks the line with {@code match}. */
  private static void assertMatch(String match, Pattern<Event, ?> pattern) {
    String rule = PatternRules.translate(pattern, ONE_TYPE).rule();
    assertEquals(
        "rule r {\n  key user\n  match " + match + "\n  skip none\n}\n", rule, "the whole rule");
  }

  private static List<String> remarks(Pattern<Event, ?> pattern, RuleOptions options, Kind kind) {
    return PatternRules.translate(pattern, options).remarks().stream()
        .filter(remark -> remark.kind() == kind)
        .map(Remark::toString)
        .toList();
  }

  private static void assertRemark(String start, Pattern<Event, ?> pattern, Kind kind) {
    List<String> remarks = remarks(pattern, ONE_TYPE, kind);
    assertTrue(
        remarks.stream().anyMatch(remark -> remark.startsWith(start)), () -> remarks.toString());
  }

  @Test
  void subtypesAreEventTypes() {
    Pattern<Event, ?> pattern =
        Pattern.<Event>begin("order", AfterMatchSkipStrategy.skipToNext())
            .subtype(OrderCreated.class)
            .followedBy("payment")
            .subtype(OrderPaid.class)
            .within(Duration.ofMinutes(10));
    Translation translation = PatternRules.translate(pattern, SUBTYPES.ruleName("paid"));
    assertEquals(
        """
        rule paid {
          key order_id
          match order_created as order -> order_paid as payment
          within 10m
          skip to next ordered
        }
        """,
        translation.rule());
    assertTrue(translation.isComplete());
    assertEquals(
        Map.of("order_created", OrderCreated.class, "order_paid", OrderPaid.class),
        translation.eventTypes());
  }

  @Test
  void contiguities() {
    assertRule(
        """
        rule r {
          key order_id
          from *
          match order_created as a
            -> next order_paid as b
            -> not order_cancelled
            -> any order_paid as d
            -> next not order_created
            -> order_paid as f
          skip none
        }
        """,
        Pattern.<Event>begin("a")
            .subtype(OrderCreated.class)
            .next("b")
            .subtype(OrderPaid.class)
            .notFollowedBy("c")
            .subtype(OrderCancelled.class)
            .followedByAny("d")
            .subtype(OrderPaid.class)
            .notNext("e")
            .subtype(OrderCreated.class)
            .followedBy("f")
            .subtype(OrderPaid.class),
        SUBTYPES);
  }

  @Test
  void conditionsArePlaceholders() {
    Pattern<Event, ?> pattern =
        Pattern.<Event>begin("a")
            .where(SimpleCondition.of(event -> event.hashCode() > 3))
            .where(SimpleCondition.of(Event::ok))
            .followedBy("b c")
            .where(new Text("unknown"));
    Translation translation =
        PatternRules.translate(pattern, ONE_TYPE.conditionText((step, condition) -> null));
    assertEquals(
        """
        rule r {
          key user
          match e[todo_condition_of_a() and todo_condition_2_of_a()] as a
            -> e[todo_condition_of_b_c()] as `b c`
          skip none
        }
        """,
        translation.rule());
    assertFalse(translation.isComplete());
    String here = PatternRulesTest.class.getName();
    assertEquals(
        List.of(
            "TODO: step `a`: write its condition in place of `todo_condition_of_a()`: a lambda in "
                + here
                + ".conditionsArePlaceholders",
            "TODO: step `a`: write its condition in place of `todo_condition_2_of_a()`: "
                + here
                + "$Event::ok",
            "TODO: step `b c`: write its condition in place of `todo_condition_of_b_c()`: "
                + here
                + "$Text; it can read captured events, as `step.field`, `prev.field` or "
                + "`sum(step.field)`"),
        translation.remarks().stream().map(Remark::toString).toList());
  }

  @Test
  void placeholdersStandInNotAndUntilToo() {
    Pattern<Event, ?> pattern =
        begin("a", "v > 1")
            .oneOrMore()
            .until(SimpleCondition.of(event -> true))
            .notFollowedBy("b")
            .where(SimpleCondition.of(event -> true))
            .followedBy("c");
    assertMatch(
        "e[v > 1]{1.. each} until e[todo_until_of_a()] as a"
            + " -> not e[todo_condition_of_b()] -> e as c",
        pattern);
  }

  @Test
  void conditionsAreTakenApart() {
    assertMatch("e[(a > 1) or (b > 2)] as a", begin("a", "a > 1").or(text("b > 2")));
    assertMatch(
        "e[((a > 1) or (b > 2)) and (c > 3)] as a",
        begin("a", "a > 1").or(text("b > 2")).where(text("c > 3")));
    assertMatch(
        "e[(a > 1) and (b > 2) is not true] as a",
        begin("a", "a > 1").where(new RichNotCondition<>(text("b > 2"))));
    assertMatch("e as a", Pattern.<Event>begin("a"));
  }

  @Test
  void alternativesOfSeveralTypes() {
    Pattern<Event, ?> pattern =
        Pattern.<Event>begin("a")
            .where(
                new RichAndCondition<Event>(
                    new SubtypeCondition<>(OrderCreated.class), text("v > 1")))
            .or(new SubtypeCondition<>(OrderPaid.class))
            .times(2)
            .notFollowedBy("b")
            .where(new SubtypeCondition<>(OrderCancelled.class))
            .or(text("v > 9"))
            .followedBy("c")
            .subtype(OrderPaid.class);
    assertRule(
        """
        rule r {
          key order_id
          from *
          match (order_created[v > 1] as a_order_created or order_paid as a_order_paid){2} as a
            -> not (order_cancelled or any event[v > 9])
            -> order_paid as c
          skip none
        }
        """,
        pattern,
        SUBTYPES);
  }

  @Test
  void typesThatCannotBeExcludedAreToDo() {
    Pattern<Event, ?> pattern =
        Pattern.<Event>begin("a", AfterMatchSkipStrategy.skipToFirst("a"))
            .where(new SubtypeCondition<>(OrderCreated.class))
            .or(new RichNotCondition<>(new SubtypeCondition<Event>(OrderPaid.class)));
    assertRule(
        """
        rule r {
          key order_id
          from *
          match (order_created as a_order_created or any event[todo_condition_of_a()] as a_any) as a
          skip to first a ordered
        }
        """,
        pattern,
        SUBTYPES);
    assertEquals(
        List.of(
            "TODO: step `a`: write its condition in place of `todo_condition_of_a()`: the negation "
                + "of a condition with a `subtype`; a condition cannot exclude a type, so write a "
                + "step for the types that fit",
            "TODO: step `a`: `skip` has to name one of the steps that stand for this one"),
        remarks(pattern, SUBTYPES, Kind.TODO));
  }

  @Test
  void quantifiers() {
    assertLoop("e[v > 1]{0..1 each} as a", begin("a", "v > 1").optional());
    assertLoop("e[v > 1]{3} as a", begin("a", "v > 1").times(3));
    assertLoop("e[v > 1]{2..4 each} as a", begin("a", "v > 1").times(2, 4));
    assertLoop("e[v > 1]{0..4 each} as a", begin("a", "v > 1").times(0, 4));
    assertLoop("e[v > 1]{2..4} as a", begin("a", "v > 1").times(2, 4).greedy());
    assertLoop("e[v > 1]{1.. each} as a", begin("a", "v > 1").oneOrMore());
    assertLoop("e[v > 1]{0.. each} as a", begin("a", "v > 1").oneOrMore().optional());
    assertLoop("e[v > 1]+ as a", begin("a", "v > 1").oneOrMore().greedy());
    assertLoop("e[v > 1]* as a", begin("a", "v > 1").oneOrMore().optional().greedy());
    assertLoop("e[v > 1]{2..} as a", begin("a", "v > 1").timesOrMore(2).greedy());
    assertLoop("e[v > 1]{2.. next each} as a", begin("a", "v > 1").timesOrMore(2).consecutive());
    assertLoop(
        "e[v > 1]{2.. next} as a", begin("a", "v > 1").timesOrMore(2).consecutive().greedy());
    assertLoop("e[v > 1]{1.. any each} as a", begin("a", "v > 1").oneOrMore().allowCombinations());
    assertLoop("e[v > 1]{3 any} as a", begin("a", "v > 1").times(3).allowCombinations());
    assertLoop("(e[v > 1]{2 each} as a){0..1 each}", begin("a", "v > 1").times(2).optional());
    assertLoop("(e[v > 1]{2..} as a)?", begin("a", "v > 1").timesOrMore(2).greedy().optional());
    // Without effect in Flink.
    assertLoop("e[v > 1]{2} as a", begin("a", "v > 1").times(2).greedy());
    assertLoop("e[v > 1] as a", begin("a", "v > 1").times(1));
  }

  /** Checks what comes before a last step. */
  private static void assertLoop(String loop, Pattern<Event, ?> pattern) {
    assertMatch(loop + " -> e[v < 0] as z", pattern.followedBy("z").where(text("v < 0")));
  }

  @Test
  void untilEndsLoops() {
    assertMatch(
        "e as a -> e[v > 1]{2..} until e[v == 0] as b -> e as c",
        Pattern.<Event>begin("a")
            .followedBy("b")
            .where(text("v > 1"))
            .timesOrMore(2)
            .greedy()
            .until(text("v == 0"))
            .followedBy("c"));
  }

  @Test
  void groups() {
    Pattern<Event, Event> pair = begin("a", "v == 1").followedBy("b").where(text("v == 2"));
    assertMatch(
        "e[v == 0] as s -> any (e[v == 1] as a -> e[v == 2] as b){2..3 each} -> e[v == 3] as z",
        begin("s", "v == 0")
            .followedByAny(pair)
            .times(2, 3)
            .followedBy("z")
            .where(text("v == 3")));
    assertMatch(
        "((e[v == 1] as a -> e[v == 2] as b){2 each}){0..1 each} -> e as z",
        Pattern.begin(pair).times(2).optional().followedBy("z"));
  }

  @Test
  void theFirstPatternOfGroupRepeatsAsTheGroupSays() {
    Pattern<Event, Event> group =
        begin("a", "v == 1").oneOrMore().consecutive().followedBy("b").where(text("v == 2"));
    Pattern<Event, ?> pattern = Pattern.begin(group).followedBy("z").where(text("v == 3"));
    assertMatch("(e[v == 1]{1.. each} as a -> e[v == 2] as b) -> e[v == 3] as z", pattern);
    assertRemark("NOTE: step `a`: Flink takes the contiguity", pattern, Kind.NOTE);
  }

  @Test
  void groupsThatStartWithGroupsFollowStrictly() {
    Pattern<Event, Event> inner = begin("a", "v == 1").followedBy("b").where(text("v == 2"));
    Pattern<Event, Event> outer = Pattern.begin(inner).followedBy("c").where(text("v == 3"));
    assertMatch(
        "e[v == 0] as s"
            + " -> next ((e[v == 1] as a -> e[v == 2] as b) -> e[v == 3] as c){2 next}",
        begin("s", "v == 0").followedBy(outer).times(2));
  }

  @Test
  void groupsOfOne() {
    Pattern<Event, Event> one = begin("a", "v == 1").oneOrMore();
    Pattern<Event, ?> once = begin("s", "v == 0").followedBy(one);
    assertMatch("e[v == 0] as s -> e[v == 1]{1.. each} as a", once);
    assertEquals(List.of(), remarks(once, ONE_TYPE, Kind.DIFFERENCE));
    Pattern<Event, ?> twice = begin("s", "v == 0").followedBy(begin("a", "v == 1")).times(2);
    assertMatch("e[v == 0] as s -> (e[v == 1] as a){2}", twice);
    assertRemark("DIFFERENCE: step `a`: a group of one step", twice, Kind.DIFFERENCE);
  }

  @Test
  void notAtTheEndOfGroups() {
    Pattern<Event, Event> strict = begin("a", "v == 1").notNext("b").where(text("v == 2"));
    assertMatch(
        "e[v == 0] as s -> e[v == 1] as a -> next not e[v == 2] -> e as z",
        begin("s", "v == 0").followedBy(strict).followedBy("z"));
    Pattern<Event, Event> relaxed = begin("a", "v == 1").notFollowedBy("b").where(text("v == 2"));
    Pattern<Event, ?> pattern = begin("s", "v == 0").followedBy(relaxed).followedBy("z");
    assertMatch("e[v == 0] as s -> e[v == 1] as a -> e as z", pattern);
    assertRemark("LEFT OUT: step `b`: Flink ignores a `notFollowedBy`", pattern, Kind.LEFT_OUT);
  }

  @Test
  void withinIsTheLeastBound() {
    assertRule(
        """
        rule r {
          key user
          match e[v == 1] as a -> not e[v == 2]
          within 1m30s
          skip none
        }
        """,
        begin("a", "v == 1")
            .within(Duration.ofSeconds(90))
            .notFollowedBy("b")
            .where(text("v == 2"))
            .within(Duration.ofHours(1)),
        ONE_TYPE);
  }

  @Test
  void boundsFromThePreviousEvent() {
    WithinType previous = WithinType.PREVIOUS_AND_CURRENT;
    assertMatch(
        "e[v == 1] as a ->[..4s999ms] next e[v == 2] as b -> not e[v == 3] for 1m",
        begin("a", "v == 1")
            .next("b")
            .where(text("v == 2"))
            .within(Duration.ofSeconds(5), previous)
            .notFollowedBy("c")
            .where(text("v == 3"))
            .within(Duration.ofMinutes(1), previous));
  }

  @Test
  void boundsBetweenRepetitions() {
    Duration second = Duration.ofSeconds(1);
    Pattern<Event, ?> loop =
        begin("a", "v == 1").followedBy("b").where(text("v == 2")).oneOrMore(second);
    assertMatch("e[v == 1] as a ->[..999ms] e[v == 2]{1.. each} as b", loop);
    assertRemark("NOTE: step `b`: Flink bounds only the time", loop, Kind.NOTE);
    Pattern<Event, ?> three =
        begin("a", "v == 1").followedBy("b").where(text("v == 2")).times(3, second);
    assertMatch(
        "e[v == 1] as a ->[..999ms] e[(v == 2) and todo_time_between_repetitions_of_b()]{3} as b",
        three);
    assertRemark("TODO: step `b`: Flink bounds the time", three, Kind.TODO);
  }

  @Test
  void skipStrategies() {
    assertSkip("none", AfterMatchSkipStrategy.noSkip());
    assertSkip("to next ordered", AfterMatchSkipStrategy.skipToNext());
    assertSkip("past last ordered", AfterMatchSkipStrategy.skipPastLastEvent());
    assertSkip("to first b ordered", AfterMatchSkipStrategy.skipToFirst("b"));
    assertSkip("to last b ordered", AfterMatchSkipStrategy.skipToLast("b"));
    assertSkip(
        "to last b ordered", AfterMatchSkipStrategy.skipToLast("b").throwExceptionOnMiss());
    assertRemark(
        "DIFFERENCE: step `b`: `throwExceptionOnMiss()`",
        skipping(AfterMatchSkipStrategy.skipToLast("b").throwExceptionOnMiss()),
        Kind.DIFFERENCE);
    assertEquals(
        List.of(),
        remarks(skipping(AfterMatchSkipStrategy.skipToLast("b")), ONE_TYPE, Kind.DIFFERENCE));
  }

  private static Pattern<Event, ?> skipping(AfterMatchSkipStrategy skip) {
    return Pattern.<Event>begin("a", skip).where(text("v == 1")).next("b").where(text("v == 2"));
  }

  private static void assertSkip(String skip, AfterMatchSkipStrategy strategy) {
    assertRule(
        "rule r {\n  key user\n  match e[v == 1] as a -> next e[v == 2] as b\n  skip " + skip
            + "\n}\n",
        skipping(strategy),
        ONE_TYPE);
  }

  @Test
  void timeouts() {
    RuleOptions options = ONE_TYPE.timeouts(true).key("host { dns: agent }", "user");
    assertRule(
        """
        rule r {
          key host { dns: agent }, user
          match e[v == 1] as a -> e[v == 2] as b
          within 1h
          skip none
          on timeout emit { host, user, step: match.step }
        }
        """,
        begin("a", "v == 1").followedBy("b").where(text("v == 2")).within(Duration.ofHours(1)),
        options);
    Pattern<Event, ?> unbounded = begin("a", "v == 1").followedBy("b").where(text("v == 2"));
    assertMatch("e[v == 1] as a -> e[v == 2] as b", unbounded);
    assertEquals(1, remarks(unbounded, options, Kind.LEFT_OUT).size());
  }

  @Test
  void ofSeveralNotAtTheEndTheLastCounts() {
    assertRule(
        """
        rule r {
          key user
          match e[v == 1] as a -> not e[v == 3]
          within 1d
          skip none
        }
        """,
        begin("a", "v == 1")
            .notFollowedBy("b")
            .where(text("v == 2"))
            .notFollowedBy("c")
            .where(text("v == 3"))
            .within(Duration.ofDays(1)),
        ONE_TYPE);
  }

  @Test
  void namesThatNeedCare() {
    assertMatch(
        "e[v == 1] as `rule` -> e[v == 2] as `the end` -> e[v == 3] as match_",
        begin("rule", "v == 1")
            .followedBy("the end")
            .where(text("v == 2"))
            .followedBy("match")
            .where(text("v == 3")));
  }

  @Test
  void withoutAnEventTypeThereIsPlaceholder() {
    Pattern<Event, ?> pattern = begin("a", "v > 1").followedBy("b");
    RuleOptions options = ONE_TYPE.eventType(null);
    assertRule(
        """
        rule r {
          key user
          match todo_event_type[v > 1] as a -> todo_event_type as b
          skip none
        }
        """,
        pattern,
        options);
    assertEquals(1, remarks(pattern, options, Kind.TODO).size());
  }

  @Test
  void stepsWithoutSubtypeBesideOthersAreAnyEvent() {
    assertRule(
        """
        rule r {
          key order_id
          from *
          match order_created as a -> any event[v > 1] as b
          skip none
        }
        """,
        Pattern.<Event>begin("a")
            .subtype(OrderCreated.class)
            .followedBy("b")
            .where(text("v > 1")),
        SUBTYPES);
  }

  @Test
  void remarksAreCommentsOnDemand() {
    Translation translation =
        PatternRules.translate(Pattern.<Event>begin("a"), RuleOptions.defaults().eventType("e"));
    assertEquals(
        """
        # NOTE: all events form one stream; if it has a `keyBy`, add a `key`
        rule from_flink {
          match e as a
          skip none
        }
        """,
        translation.commentedRule());
  }

  @Test
  void differencesAreNamedAsInTheDocumentation() {
    Pattern<Event, ?> pattern =
        Pattern.<Event>begin("a", AfterMatchSkipStrategy.skipPastLastEvent())
            .where(text("v == 1"))
            .oneOrMore()
            .greedy()
            .consecutive()
            .notFollowedBy("b")
            .where(text("v > 1"))
            .within(Duration.ofMinutes(1));
    List<String> remarks = remarks(pattern, ONE_TYPE, Kind.DIFFERENCE);
    for (String shape :
        List.of(
            "not-after-loop-at-end",
            "not-of-the-loop-before",
            "open-greedy-loop",
            "skip-and-deadlines")) {
      assertTrue(
          remarks.stream().anyMatch(remark -> remark.contains("(" + shape + " in semantics.md)")),
          () -> shape + " is not in " + remarks);
    }
  }

  @Test
  void whatKleeneRefusesIsToDo() {
    assertRemark(
        "TODO: a pattern whose steps can all be left out",
        begin("a", "v == 1").optional(),
        Kind.TODO);
    assertRemark(
        "TODO: step `c`: a rule can end with only one `not`",
        begin("a", "v == 1")
            .notNext("b")
            .where(text("v == 2"))
            .notFollowedBy("c")
            .within(Duration.ofMinutes(1)),
        Kind.TODO);
    assertRemark(
        "TODO: step `a`: a loop with `any` cannot be greedy",
        begin("a", "v == 1").oneOrMore().greedy().allowCombinations(),
        Kind.TODO);
  }

  @Test
  void abstractTypesAreToDo() {
    Pattern<Event, ?> pattern = Pattern.<Event>begin("a").subtype(Payment.class);
    Translation translation = PatternRules.translate(pattern, SUBTYPES);
    assertEquals(Map.of("payment", Payment.class), translation.eventTypes());
    assertFalse(translation.isComplete());
    assertTrue(
        PatternRules.translate(pattern, SUBTYPES.typeName(type -> "event_" + type.getSimpleName()))
            .rule()
            .contains("match event_Payment as a\n"));
  }

  /** A type with subtypes. */
  abstract static class Payment extends Event {}
}
