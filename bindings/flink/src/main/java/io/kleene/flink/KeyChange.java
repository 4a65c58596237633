package io.kleene.flink;

import java.util.Set;
import java.util.TreeSet;

/** Compares new rules with the keys that a running job distributes its events by. */
final class KeyChange {
  private KeyChange() {}

  /** Returns why new rules cannot run in a job; null if they can. */
  static <T> String refused(OperatorSettings<T> settings, RulePlan plan) {
    for (RulePlan.Group group : plan.groups()) {
      if (!settings.signatures().contains(group.signature())) {
        return "the job has no operator for the key "
            + spelling(group)
            + " of rule `"
            + group.rules().get(0)
            + "`: its events are distributed by "
            + spelling(settings.signatures())
            + ". Start the job anew with these rules, or name the key with alsoKey(..)";
      }
      String changed = changedField(settings.plan(), plan, group);
      if (changed != null) {
        return changed;
      }
    }
    return null;
  }

  /** A key must not hash in another way than where its events were distributed. */
  private static String changedField(RulePlan old, RulePlan plan, RulePlan.Group group) {
    for (int number : group.types()) {
      RulePlan.EventType type = plan.types().get(number);
      RulePlan.EventType before = old.type(type.name());
      for (RulePlan.KeyPart part : group.parts()) {
        RulePlan.Field field = type.field(part.path(type.name()));
        RulePlan.Field known = before == null || field == null ? null : before.field(field.path());
        if (field == null || known == null || known.spelling().equals(field.spelling())) {
          continue;
        }
        return "the key `"
            + type.name()
            + "."
            + field.path()
            + "` is now "
            + field.spelling()
            + ", and was "
            + known.spelling()
            + " when the job was started. Start the job anew with these rules";
      }
    }
    return null;
  }

  private static String spelling(RulePlan.Group group) {
    return group.parts().isEmpty() ? "(none)" : "`" + group.signature() + "`";
  }

  private static String spelling(Set<String> signatures) {
    Set<String> sorted = new TreeSet<>(signatures);
    sorted.remove("");
    return sorted.isEmpty() ? "no key" : "`" + String.join("`, `", sorted) + "`";
  }
}
