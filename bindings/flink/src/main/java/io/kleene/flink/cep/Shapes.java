package io.kleene.flink.cep;

import io.kleene.flink.cep.Remark.Kind;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BiPredicate;
import java.util.stream.Stream;
import org.apache.flink.cep.pattern.Quantifier.ConsumingStrategy;

/**
 * The shapes of patterns for which Kleene knowingly differs from Flink. The names are those of the
 * headings in {@code docs/semantics.md}.
 */
final class Shapes {
  /** Takes a remark. */
  interface Sink {
    void remark(Kind kind, Stage stage, String text);
  }

  private final BiPredicate<Stage, Stage> mayFitBoth;
  private final Sink sink;

  /** Makes one that asks whether an event can fit two steps, and puts its remarks into a sink. */
  Shapes(BiPredicate<Stage, Stage> mayFitBoth, Sink sink) {
    this.mayFitBoth = mayFitBoth;
    this.sink = sink;
  }

  /** Remarks on each shape that a pattern has. */
  void remarks(List<Stage> stages, boolean within, boolean skips) {
    int size = stages.size();
    if (size > 1 && stages.get(size - 1).isNotFollow()) {
      Stage before = stages.get(size - 2);
      if (before.varies() || before.isGroup()) {
        differs(
            stages.get(size - 1),
            "not-after-loop-at-end",
            "Flink reports a timeout of the loop before this `not`, and a match only if another "
                + "event came; Kleene reports the match");
      }
    }
    if (stages.stream().allMatch(stage -> stage.isNot() || stage.mayBeEmpty())) {
      sink.remark(
          Kind.TODO,
          null,
          "a pattern whose steps can all be left out is refused; make one required, and write "
              + "another rule, or a branch of `or`, for the matches without it");
    }
    inSequence(stages);
    boolean gaps = stages.stream().anyMatch(Shapes::hasGap);
    for (int i = 0; i < size; i++) {
      if (hasGap(stages.get(i)) && gapAtLoop(stages, i)) {
        differs(
            stages.get(i),
            "gap-at-a-loop",
            "Flink applies the bound to some of its states; Kleene bounds the first event of the "
                + "step");
      }
    }
    if (gaps && within) {
      differs(null, "gap-and-within", "the earlier of the two bounds counts in Kleene");
    }
    if (skips && (gaps || within)) {
      differs(
          null,
          "skip-and-deadlines",
          "in Flink, what a match drops can depend on when watermarks come");
    }
  }

  private void inSequence(List<Stage> stages) {
    for (int i = 0; i < stages.size(); i++) {
      Stage stage = stages.get(i);
      Stage next = i + 1 < stages.size() ? stages.get(i + 1) : null;
      if (stage.isNotFollow() && next != null && next.isNotNext() && i + 2 < stages.size()) {
        differs(
            stage,
            "not-before-next-not",
            "Flink ignores this `notFollowedBy`, because a `notNext` follows; for the same result, "
                + "remove the `not`");
      }
      List<Stage> rest = stages.subList(i + 1, stages.size());
      boolean emptyRest = rest.stream().allMatch(step -> step.isNot() || step.mayBeEmpty());
      if (stage.isNot() && rest.stream().anyMatch(step -> !step.isNot()) && emptyRest) {
        sink.remark(
            Kind.TODO,
            stage,
            "everything after this `not` can be left out, so nothing says where it ends; make a "
                + "step after it required, or write two rules");
      }
      if (stage.isNotFollow()
          && following(stages, i).anyMatch(step -> mayFitBoth.test(stage, step))) {
        differs(
            stage,
            "not-of-the-next-step",
            "an event that fits both this `not` and the step after it does not violate the `not`; "
                + "in Flink it ends the partial match, unless it completes the match");
      }
      Stage before = i > 0 ? stages.get(i - 1) : stage;
      if (stage.isNotFollow()
          && before.repeats()
          && !before.isGroup()
          && mayFitBoth.test(stage, before)) {
        differs(
            stage,
            "not-of-the-loop-before",
            "an event that the loop before captures does not violate this `not`");
      }
      if (stage.isNotNext() && i > 0 && canGoOn(before(stages, i))) {
        differs(
            stage,
            "next-not-after-loop",
            "a violation ends the current length of the loop before; in Flink it ends the loop");
      }
      if (stage.isGroup() && stage.varies()) {
        differs(
            null,
            "group-leads-on",
            "the step after a group that repeats follows the last event of the group; in Flink it "
                + "can follow each event that the group ignored");
      }
      if (stage.isGroup()
          && stage.repeats()
          && stage.group.stream().allMatch(Stage::mayBeEmpty)) {
        sink.remark(
            Kind.TODO,
            null,
            "a group that can be empty cannot be repeated; make one of its steps required. If such "
                + "a loop is endless, Flink never returns from some events");
      }
      if (openGreedyLoop(stage, next)) {
        differs(
            stage.isGroup() ? null : stage,
            "open-greedy-loop",
            "a greedy loop keeps its events from later steps as long as it is open; in Flink, from "
                + "the one state after it");
      }
      inSequence(stage.group);
    }
  }

  /** Returns the single steps that can capture the first event after a {@code not}. */
  private static Stream<Stage> following(List<Stage> stages, int not) {
    List<Stage> found = new ArrayList<>();
    for (Stage stage : stages.subList(not + 1, stages.size())) {
      if (stage.isNot()) {
        continue;
      }
      (stage.isGroup() ? following(stage.group, -1) : Stream.of(stage)).forEach(found::add);
      if (!stage.mayBeEmpty()) {
        break;
      }
    }
    return found.stream();
  }

  private static boolean openGreedyLoop(Stage stage, Stage next) {
    boolean ends =
        stage.mayBeEmpty() || stage.inner == ConsumingStrategy.STRICT || stage.until != null;
    boolean last =
        stage.isGroup() && stage.mayBeEmpty() && stage.group.get(stage.group.size() - 1).greedy;
    return last || (stage.greedy && (ends || (next != null && next.mayBeEmpty())));
  }

  private static boolean hasGap(Stage stage) {
    return !stage.isNotNext() && (stage.repeats() ? stage.timesBound != null : stage.gap != null);
  }

  private static boolean gapAtLoop(List<Stage> stages, int index) {
    Stage stage = stages.get(index);
    Stage before = before(stages, index);
    return stage.repeats()
        || stage.optional
        || (index > 0 && stages.get(index - 1).isNotNext())
        || (before != null && (before.repeats() || before.optional || before.isGroup()));
  }

  private static Stage before(List<Stage> stages, int index) {
    for (int i = index - 1; i >= 0; i--) {
      if (!stages.get(i).isNot()) {
        return stages.get(i);
      }
    }
    return null;
  }

  private static boolean canGoOn(Stage stage) {
    return stage != null
        && (stage.varies()
            || (stage.isGroup() && canGoOn(stage.group.get(stage.group.size() - 1))));
  }

  private void differs(Stage stage, String shape, String text) {
    sink.remark(Kind.DIFFERENCE, stage, text + " (" + shape + " in semantics.md)");
  }
}
