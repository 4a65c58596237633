package io.kleene.flink.cep;

import io.kleene.flink.cep.Conditions.Choice;
import io.kleene.flink.cep.Remark.Kind;
import java.lang.reflect.Modifier;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.apache.flink.cep.nfa.aftermatch.AfterMatchSkipStrategy;
import org.apache.flink.cep.nfa.aftermatch.NoSkipStrategy;
import org.apache.flink.cep.nfa.aftermatch.SkipPastLastStrategy;
import org.apache.flink.cep.nfa.aftermatch.SkipToFirstStrategy;
import org.apache.flink.cep.nfa.aftermatch.SkipToLastStrategy;
import org.apache.flink.cep.nfa.aftermatch.SkipToNextStrategy;
import org.apache.flink.cep.pattern.Pattern;
import org.apache.flink.cep.pattern.Quantifier.ConsumingStrategy;
import org.apache.flink.cep.pattern.conditions.IterativeCondition;

/** Writes one rule. */
final class RuleWriter {
  private static final int WIDTH = 100;
  private static final String TODO_TYPE = "todo_event_type";
  private static final String ENDS_WITH_NOT =
      "a group cannot end with `not`; write the `not` after the group, or the repetitions out";

  /** Where a step stands. */
  private enum Place {
    /** At the start of the pattern. */
    START,
    /** At the start of a group that repeats. */
    LOOP_HEAD,
    /** After another step. */
    AFTER
  }

  private final RuleOptions options;
  private final List<Remark> remarks = new ArrayList<>();
  private final Conditions conditions;
  private final Map<String, Class<?>> eventTypes = new TreeMap<>();
  /** The names of the steps in the rule, by those in Flink. */
  private final Map<String, String> names = new HashMap<>();

  /** The names in Flink of the patterns that became several steps, one for each type. */
  private final Set<String> splitSteps = new HashSet<>();

  private boolean hasSubtypes;
  private boolean hasAnyEvent;
  private boolean isStrict;
  private boolean isBounded;
  /** The bound of the whole match, or null. */
  private Duration within;

  RuleWriter(RuleOptions options) {
    this.options = options;
    this.conditions = new Conditions(options, remarks::add);
  }

  Translation write(List<Stage> stages, Pattern<?, ?> pattern) {
    List<Stage> all = stages.stream().flatMap(Stage::all).toList();
    name(all);
    // The types decide what a step without a type is, so they come first.
    hasSubtypes =
        all.stream()
            .filter(stage -> !stage.isGroup())
            .flatMap(stage -> types(stage).stream())
            .anyMatch(Objects::nonNull);

    within = within(stages);
    List<String> items = topLevel(stages);
    String skip = skip(pattern.getAfterMatchSkipStrategy(), all);

    StringBuilder text = new StringBuilder("rule " + Names.quoted(options.ruleName()) + " {\n");
    if (options.key().isEmpty()) {
      remark(Kind.NOTE, null, "all events form one stream; if it has a `keyBy`, add a `key`");
    } else {
      text.append("  key ").append(String.join(", ", options.key())).append('\n');
    }
    from(text);
    text.append(match(items));
    if (within != null) {
      text.append("  within ").append(Names.length(within)).append('\n');
    }
    text.append("  skip ").append(skip).append('\n');
    if (options.timeouts()) {
      timeouts(text);
    }
    text.append("}\n");
    new Shapes(this::mayFitBoth, this::remark)
        .remarks(stages, within != null, !skip.equals("none"));
    return new Translation(text.toString(), remarks, eventTypes);
  }

  /** Returns the classes of a step's events; null is any. */
  private List<Class<?>> types(Stage stage) {
    Conditions quiet = new Conditions(options, remark -> {});
    List<Class<?>> types = new ArrayList<>();
    quiet.choices(stage.name, "condition", stage.condition).forEach(c -> types.add(c.type()));
    return types;
  }

  /** True if one event can fit both steps, for all that their types say. */
  private boolean mayFitBoth(Stage one, Stage other) {
    List<Class<?>> others = types(other);
    return types(one).stream()
        .anyMatch(type -> type == null || others.contains(null) || others.contains(type));
  }

  private void name(List<Stage> all) {
    for (Stage stage : all) {
      if (stage.isGroup()) {
        continue;
      }
      String name = Names.ofStep(stage.name);
      if (names.put(stage.name, name) != null) {
        remark(Kind.TODO, stage, "two patterns have this name; Flink and Kleene refuse that");
      } else if (!name.equals(stage.name)) {
        remark(Kind.NOTE, stage, "a step cannot have this name; it is `" + name + "` in the rule");
      }
    }
  }

  private void from(StringBuilder text) {
    if (!options.streamTypes().isEmpty()) {
      String types =
          options.streamTypes().stream().map(Names::quoted).collect(Collectors.joining(", "));
      text.append("  from ").append(types).append('\n');
    } else if (hasAnyEvent || (isStrict && hasSubtypes)) {
      text.append("  from *\n");
      remark(
          Kind.NOTE,
          null,
          "`from *` means all declared event types; if not all of them are in the stream, name "
              + "those that are");
    }
  }

  private String match(List<String> items) {
    String line = "  match " + String.join(" ", items) + "\n";
    return line.length() <= WIDTH + 1
        ? line
        : "  match " + String.join("\n    ", items) + "\n";
  }

  /** Returns the least bound that stands on a pattern, as Flink takes it. */
  private Duration within(List<Stage> stages) {
    List<Stage> bounding = new ArrayList<>();
    bounding(stages, false, bounding);
    Duration least = null;
    for (Stage stage : bounding) {
      if (stage.within != null && (least == null || stage.within.compareTo(least) < 0)) {
        least = stage.within;
      }
    }
    if (least != null && least.toMillis() <= 0) {
      remark(Kind.LEFT_OUT, null, "a bound on time that is not positive has no effect in Flink");
      return null;
    }
    isBounded |= least != null;
    return least;
  }

  private void bounding(List<Stage> stages, boolean inGroup, List<Stage> bounding) {
    for (int i = 0; i < stages.size(); i++) {
      Stage stage = stages.get(i);
      boolean lastOfGroup = inGroup && i + 1 == stages.size();
      if (stage.within != null && lastOfGroup) {
        remark(
            Kind.LEFT_OUT,
            stage,
            "Flink ignores `within` on the last pattern of a group; if each repetition is meant to "
                + "have this bound, write it at the end of the group: `(a -> b within "
                + Names.length(stage.within)
                + ")`");
      } else {
        if (stage.within != null && inGroup) {
          remark(Kind.NOTE, stage, "Flink takes `within` in a group as one of the whole match");
        }
        bounding.add(stage);
      }
      bounding(stage.group, true, bounding);
    }
  }

  private String skip(AfterMatchSkipStrategy strategy, List<Stage> all) {
    if (strategy instanceof NoSkipStrategy) {
      return "none";
    }
    String text;
    if (strategy instanceof SkipToNextStrategy) {
      text = "to next";
    } else if (strategy instanceof SkipPastLastStrategy) {
      text = "past last";
    } else if (strategy instanceof SkipToFirstStrategy || strategy instanceof SkipToLastStrategy) {
      String target = strategy.getPatternName().orElse("");
      boolean first = strategy instanceof SkipToFirstStrategy;
      AfterMatchSkipStrategy lenient =
          first
              ? AfterMatchSkipStrategy.skipToFirst(target)
              : AfterMatchSkipStrategy.skipToLast(target);
      Stage stage = named(target, all);
      if (stage == null || stage.isNot()) {
        remark(Kind.TODO, null, "`skip` needs a step; the pattern has no step `" + target + "`");
      }
      if (splitSteps.contains(target)) {
        remark(Kind.TODO, stage, "`skip` has to name one of the steps that stand for this one");
      }
      if (!strategy.equals(lenient)) {
        remark(
            Kind.DIFFERENCE,
            stage,
            "`throwExceptionOnMiss()` has no counterpart: if a match has no event of this step, it "
                + "drops nothing");
      }
      String name = names.getOrDefault(target, Names.ofStep(target));
      text = (first ? "to first " : "to last ") + Names.quoted(name);
    } else {
      remark(Kind.TODO, null, "write `skip` for " + strategy.getClass().getName());
      return "todo_skip";
    }
    remark(
        Kind.NOTE,
        null,
        "`ordered` holds a match back while an older partial match is open, as Flink does; without "
            + "it, a match is reported at once");
    return text + " ordered";
  }

  private static Stage named(String name, List<Stage> all) {
    return all.stream()
        .filter(stage -> !stage.isGroup() && stage.name.equals(name))
        .findFirst()
        .orElse(null);
  }

  private void timeouts(StringBuilder text) {
    if (!isBounded) {
      remark(Kind.LEFT_OUT, null, "no bound on time, so nothing times out: no `on timeout`");
      return;
    }
    List<String> fields = new ArrayList<>();
    for (String part : options.key()) {
      int brace = part.indexOf('{');
      fields.add((brace < 0 ? part : part.substring(0, brace)).strip());
    }
    fields.add("step: match.step");
    text.append("  on timeout emit { ").append(String.join(", ", fields)).append(" }\n");
  }

  private List<String> topLevel(List<Stage> stages) {
    List<Stage> kept = new ArrayList<>(stages);
    // Of the `not` at the end, Flink regards the last, unless the others are `notNext`.
    Stage last = kept.get(kept.size() - 1);
    while (last.isNot() && kept.size() > 1 && kept.get(kept.size() - 2).isNotFollow()) {
      Stage ignored = kept.remove(kept.size() - 2);
      remark(
          Kind.LEFT_OUT,
          ignored,
          "Flink ignores a `notFollowedBy` before a last `not`; to forbid both, write "
              + "`not (a or b)`");
    }
    if (last.isNot() && kept.size() > 1 && kept.get(kept.size() - 2).isNotNext()) {
      remark(
          Kind.TODO,
          last,
          "a rule can end with only one `not`; put a step between the two, or write two rules");
    }
    List<String> items = new ArrayList<>();
    sequence(kept, null, Place.START, items);
    return items;
  }

  /** Adds the parts of a sequence, each with the arrow before it. */
  private void sequence(List<Stage> stages, Stage group, Place head, List<String> items) {
    for (int i = 0; i < stages.size(); i++) {
      Stage stage = stages.get(i);
      boolean first = i == 0;
      boolean top = group == null;
      boolean last = top && i + 1 == stages.size();
      // Flink reads how the first pattern of a group repeats off the group.
      ConsumingStrategy inner = first && !top ? group.inner : stage.inner;
      if (first && !top && stage.repeats() && !stage.isGroup() && inner != stage.inner) {
        remark(
            Kind.NOTE,
            stage,
            "Flink takes the contiguity between repetitions from the group, because this is the "
                + "group's first pattern; so does the rule");
      }
      List<Stage> after = new ArrayList<>();
      Place place = first ? head : Place.AFTER;
      String item = stage.isNot() ? not(stage, last) : unit(stage, inner, place, after);
      items.add(first ? item : arrow(stage) + " " + item);
      for (Stage not : after) {
        items.add(arrow(not) + " " + not(not, false));
      }
      if (!top && i + 1 == stages.size() && !after.isEmpty()) {
        remark(Kind.TODO, after.get(0), ENDS_WITH_NOT);
      }
    }
  }

  private String arrow(Stage stage) {
    ConsumingStrategy strategy = stage.strategy;
    // Flink reads the contiguity off the inner group, which has none of its own.
    if (startsWithGroup(stage)) {
      if (strategy != ConsumingStrategy.STRICT) {
        remark(
            Kind.NOTE,
            null,
            "Flink lets a group that starts with a group follow strictly; so does the rule, with "
                + "`next`");
      }
      strategy = ConsumingStrategy.STRICT;
    }
    String gap = gap(stage);
    return switch (strategy) {
      case STRICT, NOT_NEXT -> {
        isStrict = true;
        yield "->" + gap + " next";
      }
      case SKIP_TILL_ANY -> "->" + gap + " any";
      default -> "->" + gap;
    };
  }

  /** Returns the brackets of an arrow that bound the time before a step. */
  private String gap(Stage stage) {
    if (stage.isNot()) {
      return "";
    }
    if (stage.isGroup() && (stage.gap != null || stage.timesBound != null)) {
      remark(
          Kind.LEFT_OUT,
          null,
          "Flink ignores a bound from the previous event on a group; if it is meant, write "
              + "`->[..5s]` before the group");
    }
    Duration bound = boundBefore(stage);
    if (bound == null || bound.toMillis() <= 0) {
      return "";
    }
    isBounded = true;
    return "[.." + Names.length(bound.minusMillis(1)) + "]";
  }

  /** Returns the bound that Flink has on the time before the first event of a step, or null. */
  private static Duration boundBefore(Stage stage) {
    if (stage.isGroup()) {
      return boundBefore(stage.group.get(0));
    }
    return stage.repeats() ? stage.timesBound : stage.gap;
  }

  private static boolean startsWithGroup(Stage stage) {
    return stage.isGroup() && stage.group.get(0).isGroup();
  }

  private String not(Stage stage, boolean last) {
    List<Choice> choices = conditions.choices(stage.name, "condition", stage.condition);
    Duration bound = stage.gap;
    if (bound != null && stage.isNotNext()) {
      choices = withPlaceholder(stage, "time_before", choices);
      remark(
          Kind.TODO,
          stage,
          "a bound from the previous event on a `notNext` has no counterpart; remove the "
              + "placeholder to do without it");
      bound = null;
    } else if (bound != null && !last) {
      remark(Kind.LEFT_OUT, stage, "Flink ignores a bound on a `notFollowedBy` that is not last");
      bound = null;
    }
    if (bound != null && within != null && bound.compareTo(within) >= 0) {
      // Flink reports the match when `within` runs out.
      bound = null;
    }
    String time = bound == null ? "" : " for " + Names.length(bound);
    return "not " + choice(stage, choices) + time;
  }

  /** Returns a step with its quantifier, or a group. */
  private String unit(Stage stage, ConsumingStrategy inner, Place place, List<Stage> after) {
    if (stage.isGroup()) {
      return group(stage, place, after);
    }
    List<Choice> choices = conditions.choices(stage.name, "condition", stage.condition);
    choices = bounds(stage, place, choices);
    String name = Names.quoted(names.get(stage.name));
    String step;
    if (choices.size() == 1) {
      step = step(choices.get(0));
    } else {
      List<String> branches = new ArrayList<>();
      List<String> captured = new ArrayList<>();
      for (Choice choice : choices) {
        String type = choice.type() == null ? "any" : options.typeName(choice.type());
        String branch = names.get(stage.name) + "_" + type;
        branches.add(step(choice) + " as " + Names.quoted(branch));
        captured.add("`" + branch + "`");
      }
      step = "(" + String.join(" or ", branches) + ")";
      splitSteps.add(stage.name);
      remark(
          Kind.DIFFERENCE,
          stage,
          "events of several types fit, so the rule captures them as "
              + String.join(", ", captured)
              + ", and conditions have to use these names; if an `or` after a `subtype` is meant "
              + "for that type only, write one step, `a[x or y]`");
    }
    return quantified(stage, step, inner, stage.until, " as " + name);
  }

  /** Adds placeholders for bounds on time that a rule cannot have, and remarks on all of them. */
  private List<Choice> bounds(Stage stage, Place place, List<Choice> choices) {
    boolean start = place == Place.START;
    if (stage.repeats() && stage.gap != null) {
      remark(
          Kind.LEFT_OUT,
          stage,
          "Flink ignores `within(.., PREVIOUS_AND_CURRENT)` on a pattern that repeats; if it is "
              + "meant, write `->[..5s]` before the step");
    }
    if (boundBefore(stage) != null && start) {
      remark(Kind.LEFT_OUT, stage, "nothing comes before the first step that a bound could limit");
    } else if (boundBefore(stage) != null && place == Place.LOOP_HEAD) {
      choices = withPlaceholder(stage, "time_before", choices);
      remark(
          Kind.TODO,
          stage,
          "Flink bounds the time before each repetition of the group, a rule only before the "
              + "first; remove the placeholder to do without the others");
    }
    if (stage.timesBound == null) {
      return choices;
    }
    if (!stage.repeats()) {
      remark(Kind.LEFT_OUT, stage, "Flink ignores the bound of `times(1, bound)`");
      return choices;
    }
    String condition =
        "`(prev is null or at - prev.at < "
            + Names.length(stage.timesBound)
            + ")` in its condition";
    // All states but the one that Flink makes first have the bound.
    int bounded = stage.max == Stage.ENDLESS ? stage.min : stage.max - 1;
    if (bounded == 1 && start) {
      return choices;
    }
    if (bounded == 1) {
      remark(
          Kind.NOTE,
          stage,
          "Flink bounds only the time before the first repetition, and so does the rule; to bound "
              + "each one, write "
              + condition
              + ", with the name of the time field for `at`");
      return choices;
    }
    remark(
        Kind.TODO,
        stage,
        "Flink bounds the time before each repetition but the last; in place of the placeholder, "
            + "write "
            + condition
            + ", with the name of the time field for `at`");
    return withPlaceholder(stage, "time_between_repetitions", choices);
  }

  private List<Choice> withPlaceholder(Stage stage, String what, List<Choice> choices) {
    return choices.stream()
        .map(choice -> conditions.withPlaceholder(stage.name, what, choice))
        .toList();
  }

  private String group(Stage stage, Place place, List<Stage> after) {
    List<Stage> body = new ArrayList<>(stage.group);
    while (body.size() > 1 && body.get(body.size() - 1).isNot()) {
      Stage not = body.get(body.size() - 1);
      if (not.isNotFollow()) {
        remark(
            Kind.LEFT_OUT,
            not,
            "Flink ignores a `notFollowedBy` at the end of a group; to forbid the event, write the "
                + "`not` after the group");
      } else if (stage.isOnce()) {
        after.add(0, not);
      } else {
        remark(Kind.TODO, not, ENDS_WITH_NOT);
        break;
      }
      body.remove(body.size() - 1);
    }
    Stage head = body.get(0);
    // The first step of a group that repeats also follows the last one.
    Place inside = stage.repeats() ? Place.LOOP_HEAD : place;
    ConsumingStrategy inner = startsWithGroup(stage) ? ConsumingStrategy.STRICT : stage.inner;
    if (body.size() == 1) {
      return single(stage, head, inner, inside, after);
    }
    List<String> items = new ArrayList<>();
    sequence(body, stage, inside, items);
    String text = "(" + String.join(" ", items) + ")";
    return quantified(stage, text, inner, stage.until, "");
  }

  /** Returns a group of one pattern. In a rule, it is that step. */
  private String single(
      Stage group, Stage only, ConsumingStrategy inner, Place place, List<Stage> after) {
    List<Stage> nots = group.isOnce() ? after : new ArrayList<>();
    String text = unit(only, group.inner, place, nots);
    if (group.isOnce()) {
      return text;
    }
    if (!nots.isEmpty()) {
      remark(Kind.TODO, nots.get(0), ENDS_WITH_NOT);
      text += " " + arrow(nots.get(0)) + " " + not(nots.get(0), false);
    }
    remark(
        Kind.DIFFERENCE,
        only,
        "a group of one step is that step; in Flink it repeats as a group, which is not the same");
    return quantified(group, "(" + text + ")", inner, group.until, "");
  }

  private String quantified(
      Stage stage,
      String unit,
      ConsumingStrategy inner,
      IterativeCondition<?> until,
      String as) {
    if (stage.isOnce()) {
      return unit + as;
    }
    boolean wraps = stage.optional && stage.min > 1;
    boolean fixed = stage.min == stage.max;
    String way = "";
    if (stage.repeats() && inner == ConsumingStrategy.STRICT) {
      way = " next";
      isStrict = true;
    } else if (stage.repeats() && inner == ConsumingStrategy.SKIP_TILL_ANY) {
      way = " any";
    }
    if (stage.greedy && way.equals(" any")) {
      remark(
          Kind.TODO, stage, "a loop with `any` cannot be greedy; choose one");
    }
    int from = stage.optional && !wraps ? 0 : stage.min;
    String range = from == stage.max ? "" : stage.max == Stage.ENDLESS ? ".." : ".." + stage.max;
    String mode = stage.greedy ? (way.equals(" any") ? " greedy" : "") : " each";
    if (fixed && from > 0 && !wraps) {
      mode = "";
    }
    String loop = "{" + from + range + way + mode + "}";
    if (loop.equals("{1..}")) {
      loop = "+";
    } else if (loop.equals("{0..}")) {
      loop = "*";
    }
    String text = unit + loop;
    if (until != null) {
      String step = stage.isGroup() ? "group" : stage.name;
      List<Choice> choices = conditions.choices(step, "until", until);
      text += " until " + choice(stage, choices);
    }
    text += as;
    return wraps ? "(" + text + ")" + (stage.greedy ? "?" : "{0..1 each}") : text;
  }

  /** Returns one step or several in parentheses, for {@code not} and {@code until}. */
  private String choice(Stage stage, List<Choice> choices) {
    List<String> steps = choices.stream().map(this::step).toList();
    return steps.size() == 1 ? steps.get(0) : "(" + String.join(" or ", steps) + ")";
  }

  private String step(Choice choice) {
    String condition = choice.text() == null ? "" : "[" + choice.text() + "]";
    return type(choice.type()) + condition;
  }

  private String type(Class<?> type) {
    if (type != null) {
      String name = options.typeName(type);
      Class<?> other = eventTypes.put(name, type);
      if (other == null && (type.isInterface() || Modifier.isAbstract(type.getModifiers()))) {
        remark(
            Kind.TODO,
            null,
            "`" + name + "` is the abstract type " + type.getName()
                + ", and an event has one type: declare it, or write the types that extend it, as "
                + "in `(a as x_a or b as x_b)`");
      } else if (other != null && other != type) {
        remark(
            Kind.TODO,
            null,
            "`" + name + "` stands for " + other.getName() + " and " + type.getName()
                + "; set RuleOptions.typeName");
      }
      return Names.quoted(name);
    }
    if (options.eventType() != null) {
      return Names.quoted(options.eventType());
    }
    if (hasSubtypes) {
      hasAnyEvent = true;
      return "any event";
    }
    boolean told = remarks.stream().anyMatch(remark -> remark.text().contains(TODO_TYPE));
    if (!told) {
      remark(
          Kind.TODO,
          null,
          "write the name of the event type in place of `" + TODO_TYPE
              + "`, or set RuleOptions.eventType");
    }
    return TODO_TYPE;
  }

  private void remark(Kind kind, Stage stage, String text) {
    Remark remark = new Remark(kind, stage == null || stage.isGroup() ? "" : stage.name, text);
    if (!remarks.contains(remark)) {
      remarks.add(remark);
    }
  }
}
