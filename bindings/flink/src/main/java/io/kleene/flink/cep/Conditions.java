package io.kleene.flink.cep;

import java.io.IOException;
import java.io.ObjectOutputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.lang.invoke.SerializedLambda;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.apache.flink.cep.pattern.conditions.BooleanConditions;
import org.apache.flink.cep.pattern.conditions.IterativeCondition;
import org.apache.flink.cep.pattern.conditions.RichAndCondition;
import org.apache.flink.cep.pattern.conditions.RichNotCondition;
import org.apache.flink.cep.pattern.conditions.RichOrCondition;
import org.apache.flink.cep.pattern.conditions.SimpleCondition;
import org.apache.flink.cep.pattern.conditions.SubtypeCondition;

/**
 * Takes conditions apart: what Flink joined by {@code where}, {@code or} and {@code subtype}.
 *
 * <p>A step of a rule has one event type and a condition on it, so a condition becomes a list of
 * choices of this form: {@code subtype(A).where(x).or(y)} is an {@code A} with x, or any event with
 * y.
 */
final class Conditions {
  /**
   * An event type with a condition.
   *
   * @param type the class, or null for any
   * @param text what goes into the brackets, or null if there is no condition
   */
  record Choice(Class<?> type, String text) {}

  /** The text of a condition, and how tightly it holds together. */
  private record Text(String text, Binding binding) {
    Text joined(Text other, Binding by) {
      return new Text(in(by) + " " + by.word + " " + other.in(by), by);
    }

    private String in(Binding outer) {
      return binding == Binding.TIGHT || binding == outer ? text : "(" + text + ")";
    }
  }

  private enum Binding {
    TIGHT(""),
    AND("and"),
    OR("or"),
    /** Text of the user. */
    UNKNOWN("");

    final String word;

    Binding(String word) {
      this.word = word;
    }
  }

  /** A choice while it is built. The text is null if there is no condition. */
  private record Part(Class<?> type, Text text) {}

  private final RuleOptions options;
  private final Consumer<Remark> remarks;
  private final Map<String, Integer> placeholders = new HashMap<>();

  Conditions(RuleOptions options, Consumer<Remark> remarks) {
    this.options = options;
    this.remarks = remarks;
  }

  /**
   * Returns the choices that a condition allows: at least one.
   *
   * @param role what the condition is of its step: {@code condition} or {@code until}
   */
  List<Choice> choices(String step, String role, IterativeCondition<?> condition) {
    List<Part> parts = parts(step, role, condition);
    if (parts.isEmpty()) {
      parts = List.of(new Part(null, new Text("false", Binding.TIGHT)));
    }
    return parts.stream()
        .map(part -> new Choice(part.type, part.text == null ? null : part.text.text))
        .toList();
  }

  /**
   * Adds a placeholder to a condition, which keeps the rule from compiling.
   *
   * @param what what is missing, as a part of a name
   */
  Choice withPlaceholder(String step, String what, Choice choice) {
    Text placeholder = placeholder(step, what);
    if (choice.text == null) {
      return new Choice(choice.type, placeholder.text);
    }
    Text text = new Text(choice.text, Binding.UNKNOWN).joined(placeholder, Binding.AND);
    return new Choice(choice.type, text.text);
  }

  private Text placeholder(String step, String what) {
    String key = what + "_of_" + Names.word(step);
    int count = placeholders.merge(key, 1, Integer::sum);
    String name = count == 1 ? key : what + "_" + count + "_of_" + Names.word(step);
    // A call of a function that does not exist. A missing field of an open type would be null.
    return new Text("todo_" + name + "()", Binding.TIGHT);
  }

  private List<Part> parts(String step, String role, IterativeCondition<?> condition) {
    Class<?> kind = condition.getClass();
    if (kind == RichAndCondition.class) {
      RichAndCondition<?> and = (RichAndCondition<?>) condition;
      return both(step, parts(step, role, and.getLeft()), parts(step, role, and.getRight()));
    }
    if (kind == RichOrCondition.class) {
      RichOrCondition<?> or = (RichOrCondition<?>) condition;
      return either(parts(step, role, or.getLeft()), parts(step, role, or.getRight()));
    }
    if (kind == RichNotCondition.class) {
      IterativeCondition<?> inner = ((RichNotCondition<?>) condition).getNestedConditions()[0];
      if (!namesSubtype(inner)) {
        return not(parts(step, role, inner));
      }
    }
    if (kind == SubtypeCondition.class) {
      Class<?> type = subtype((SubtypeCondition<?>) condition);
      if (type != null) {
        return List.of(new Part(type, null));
      }
    }
    String text = options.conditionText().text(step, condition);
    if (text != null) {
      return List.of(new Part(null, new Text(text.strip(), Binding.UNKNOWN)));
    }
    Boolean constant = constant(condition);
    if (constant != null) {
      return constant
          ? List.of(new Part(null, null))
          : List.of(new Part(null, new Text("false", Binding.TIGHT)));
    }
    Text placeholder = placeholder(step, role);
    String hint = "";
    if (kind == RichNotCondition.class) {
      hint = "; a condition cannot exclude a type, so write a step for the types that fit";
    } else if (!(condition instanceof SimpleCondition)) {
      hint = "; it can read captured events, as `step.field`, `prev.field` or `sum(step.field)`";
    }
    String what = role.equals("until") ? "the condition of its `until`" : "its condition";
    String message =
        "write " + what + " in place of `" + placeholder.text + "`: " + described(condition) + hint;
    remarks.accept(new Remark(Remark.Kind.TODO, step, message));
    return List.of(new Part(null, placeholder));
  }

  private List<Part> both(String step, List<Part> left, List<Part> right) {
    List<Part> all = new ArrayList<>();
    for (Part a : left) {
      for (Part b : right) {
        Text text = a.text == null || b.text == null
            ? (a.text == null ? b.text : a.text)
            : a.text.joined(b.text, Binding.AND);
        if (a.type == null || b.type == null) {
          all.add(new Part(a.type == null ? b.type : a.type, text));
        } else if (a.type.isAssignableFrom(b.type)) {
          all.add(new Part(b.type, text));
        } else if (b.type.isAssignableFrom(a.type)) {
          all.add(new Part(a.type, text));
        } else if (a.type.isInterface() || b.type.isInterface()) {
          Text placeholder = placeholder(step, "type");
          String message =
              "name the event type that is both " + a.type.getSimpleName() + " and "
                  + b.type.getSimpleName() + ", and remove `" + placeholder.text + "`";
          remarks.accept(new Remark(Remark.Kind.TODO, step, message));
          text = text == null ? placeholder : text.joined(placeholder, Binding.AND);
          all.add(new Part(a.type, text));
        }
        // Else no object is of both classes.
      }
    }
    return either(all, List.of());
  }

  /** Joins choices, so that each type comes once. */
  private static List<Part> either(List<Part> left, List<Part> right) {
    Map<Class<?>, Part> byType = new LinkedHashMap<>();
    List<Part> all = new ArrayList<>(left);
    all.addAll(right);
    for (Part part : all) {
      Part other = byType.get(part.type);
      Text text =
          other == null
              ? part.text
              : other.text == null || part.text == null
                  ? null
                  : other.text.joined(part.text, Binding.OR);
      byType.put(part.type, new Part(part.type, text));
    }
    Part any = byType.get(null);
    return any != null && any.text == null ? List.of(any) : List.copyOf(byType.values());
  }

  /** Negates what names no type, which therefore is one choice or none. */
  private static List<Part> not(List<Part> parts) {
    if (parts.isEmpty()) {
      return List.of(new Part(null, null));
    }
    Text text = parts.get(0).text;
    if (text == null) {
      return List.of(new Part(null, new Text("false", Binding.TIGHT)));
    }
    // Where a comparison with null is null in a rule, it is false in Java, and its negation true.
    String negated = text.in(Binding.TIGHT) + " is not true";
    return List.of(new Part(null, new Text(negated, Binding.AND)));
  }

  private static boolean namesSubtype(IterativeCondition<?> condition) {
    Class<?> kind = condition.getClass();
    if (kind == RichAndCondition.class) {
      RichAndCondition<?> and = (RichAndCondition<?>) condition;
      return namesSubtype(and.getLeft()) || namesSubtype(and.getRight());
    }
    if (kind == RichOrCondition.class) {
      RichOrCondition<?> or = (RichOrCondition<?>) condition;
      return namesSubtype(or.getLeft()) || namesSubtype(or.getRight());
    }
    if (kind == RichNotCondition.class) {
      return namesSubtype(((RichNotCondition<?>) condition).getNestedConditions()[0]);
    }
    return kind == SubtypeCondition.class;
  }

  /** Returns the class of a {@code subtype()}, or null if it cannot be read. */
  private static Class<?> subtype(SubtypeCondition<?> condition) {
    // The condition does not show its class. It is the first one that is serialised with it.
    Visitor visitor = visit(condition);
    return visitor.classes.stream()
        .filter(type -> !type.isAssignableFrom(SubtypeCondition.class))
        .findFirst()
        .orElse(null);
  }

  /** Returns what a constant condition of Flink says, or null for another condition. */
  private static Boolean constant(IterativeCondition<?> condition) {
    SerializedLambda lambda = lambda(condition);
    String owner = BooleanConditions.class.getName().replace('.', '/');
    if (lambda == null || !lambda.getImplClass().equals(owner)) {
      return null;
    }
    try {
      return condition.filter(null, null);
    } catch (Exception e) {
      return null;
    }
  }

  /** Says where a condition is written. */
  private static String described(IterativeCondition<?> condition) {
    if (condition.getClass() == RichNotCondition.class) {
      return "the negation of a condition with a `subtype`";
    }
    SerializedLambda lambda = lambda(condition);
    if (lambda == null) {
      return condition.getClass().getName();
    }
    String owner = lambda.getImplClass().replace('/', '.');
    String method = lambda.getImplMethodName();
    if (!method.startsWith("lambda$")) {
      return owner + "::" + method;
    }
    // lambda$main$0, or lambda$main$2f3a$1 if it can be serialised.
    String[] words = method.split("\\$");
    return "a lambda in " + owner + (words.length > 1 ? "." + words[1] : "");
  }

  /** Returns the lambda that a {@code SimpleCondition.of} was made of, or null. */
  private static SerializedLambda lambda(IterativeCondition<?> condition) {
    if (condition.getClass().getEnclosingClass() != SimpleCondition.class) {
      return null;
    }
    return visit(condition).lambda;
  }

  /** Looks at what a condition consists of, as far as it can be serialised. */
  private static Visitor visit(IterativeCondition<?> condition) {
    try (Visitor visitor = new Visitor()) {
      try {
        visitor.writeObject(condition);
      } catch (IOException | RuntimeException e) {
        // What was seen before is enough, or nothing is known.
      }
      return visitor;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Writes nothing, and keeps what it was shown. */
  private static final class Visitor extends ObjectOutputStream {
    private final List<Class<?>> classes = new ArrayList<>();
    private SerializedLambda lambda;

    Visitor() throws IOException {
      super(OutputStream.nullOutputStream());
      enableReplaceObject(true);
    }

    @Override
    protected void annotateClass(Class<?> type) {
      classes.add(type);
    }

    @Override
    protected Object replaceObject(Object object) {
      if (lambda == null && object instanceof SerializedLambda found) {
        lambda = found;
      }
      return object;
    }
  }
}
