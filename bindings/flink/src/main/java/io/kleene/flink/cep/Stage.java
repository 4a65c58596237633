package io.kleene.flink.cep;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.stream.Stream;
import org.apache.flink.cep.pattern.GroupPattern;
import org.apache.flink.cep.pattern.Pattern;
import org.apache.flink.cep.pattern.Quantifier;
import org.apache.flink.cep.pattern.Quantifier.ConsumingStrategy;
import org.apache.flink.cep.pattern.Quantifier.QuantifierProperty;
import org.apache.flink.cep.pattern.Quantifier.Times;
import org.apache.flink.cep.pattern.WithinType;
import org.apache.flink.cep.pattern.conditions.IterativeCondition;

/** One pattern of a sequence in Flink: a single one, a {@code not}, or a group. */
final class Stage {
  /** The {@link #max} of {@code oneOrMore} and {@code timesOrMore}. */
  static final int ENDLESS = Integer.MAX_VALUE;

  final String name;
  final ConsumingStrategy strategy;
  final ConsumingStrategy inner;
  final int min;
  final int max;
  final boolean optional;
  /** True if {@code greedy()} was called and has an effect. */
  final boolean greedy;
  final IterativeCondition<?> condition;
  final IterativeCondition<?> until;
  /** The bound from the first event of the match to the last, or null. */
  final Duration within;
  /** The bound from the event before to this one, or null. */
  final Duration gap;
  /** The bound that {@code times(n, bound)} and its like have, or null. */
  final Duration timesBound;
  /** The patterns of a group; empty otherwise. */
  final List<Stage> group;

  private Stage(Pattern<?, ?> pattern) {
    name = pattern.getName();
    Quantifier quantifier = pattern.getQuantifier();
    strategy = quantifier.getConsumingStrategy();
    inner = quantifier.getInnerConsumingStrategy();
    optional = quantifier.hasProperty(QuantifierProperty.OPTIONAL);
    Times times = pattern.getTimes();
    boolean repeats = times != null && !quantifier.hasProperty(QuantifierProperty.SINGLE);
    min = repeats ? Math.max(1, times.getFrom()) : 1;
    boolean endless = quantifier.hasProperty(QuantifierProperty.LOOPING);
    max = endless ? ENDLESS : repeats ? times.getTo() : 1;
    greedy = quantifier.hasProperty(QuantifierProperty.GREEDY) && max != min;
    condition = pattern.getCondition();
    until = pattern.getUntilCondition();
    within = pattern.getWindowSize(WithinType.FIRST_AND_LAST).orElse(null);
    gap = pattern.getWindowSize(WithinType.PREVIOUS_AND_CURRENT).orElse(null);
    timesBound = repeats ? times.getWindowSize().orElse(null) : null;
    group =
        pattern instanceof GroupPattern<?, ?> whole ? sequence(whole.getRawPattern()) : List.of();
  }

  /** Returns the patterns of a sequence, from the first to the last. */
  static List<Stage> sequence(Pattern<?, ?> last) {
    List<Stage> stages = new ArrayList<>();
    for (Pattern<?, ?> pattern = last; pattern != null; pattern = pattern.getPrevious()) {
      stages.add(new Stage(pattern));
    }
    Collections.reverse(stages);
    return stages;
  }

  boolean isGroup() {
    return !group.isEmpty();
  }

  boolean isNot() {
    return isNotFollow() || isNotNext();
  }

  boolean isNotFollow() {
    return strategy == ConsumingStrategy.NOT_FOLLOW;
  }

  boolean isNotNext() {
    return strategy == ConsumingStrategy.NOT_NEXT;
  }

  boolean isOnce() {
    return min == 1 && max == 1 && !optional;
  }

  /** True if {@code times}, {@code oneOrMore} or {@code timesOrMore} says more than once. */
  boolean repeats() {
    return max > 1;
  }

  /** True if it can come in more than one number. */
  boolean varies() {
    return optional || min != max;
  }

  boolean mayBeEmpty() {
    return optional || (isGroup() && group.stream().allMatch(Stage::mayBeEmpty));
  }

  /** Returns this one and all inside. */
  Stream<Stage> all() {
    return Stream.concat(Stream.of(this), group.stream().flatMap(Stage::all));
  }
}
