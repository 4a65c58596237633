package io.kleene.flink;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The event types of rules, also by name, and the rules by the key that they share. */
record RulePlan(
    List<EventType> types,
    Map<String, EventType> byName,
    List<Group> groups,
    Map<String, String> undivided)
    implements Serializable {

  /** The type of a field in rules. */
  enum Kind {
    BOOL,
    INT,
    FLOAT,
    STRING,
    TIME,
    DURATION,
    IP,
    ANY
  }

  /** An event type: its fields by path, and the field with its time, or nothing. */
  record EventType(String name, String timeField, boolean isOpen, List<Field> fields)
      implements Serializable {
    /** Returns a field by its path, or null. */
    Field field(String path) {
      for (Field field : fields) {
        if (field.path().equals(path)) {
          return field;
        }
      }
      return null;
    }
  }

  /** A field: the kind of its values, how many lists they are in, and whether it may be missing. */
  record Field(String path, Kind kind, int lists, boolean isOptional) implements Serializable {
    /** The kind of what a row holds: a list is of no kind of its own. */
    Kind rowKind() {
      return lists > 0 ? Kind.ANY : kind;
    }

    /** The type as rules spell it. */
    String spelling() {
      String element = kind.name().toLowerCase(java.util.Locale.ROOT);
      return "list<".repeat(lists) + element + ">".repeat(lists);
    }
  }

  /** Rules that share a key. Without parts, they share an engine in one task. */
  record Group(String signature, List<KeyPart> parts, List<Integer> types, List<String> rules)
      implements Serializable {}

  /** A part of a key: the field of its name, or another field of some types. */
  record KeyPart(String name, Map<String, String> fields) implements Serializable {
    /** Returns the path of the field that holds the part in events of a type. */
    String path(String type) {
      return fields.getOrDefault(type, name);
    }
  }

  /** Returns the type with this name, or null. */
  EventType type(String name) {
    return byName.get(name);
  }

  /** Returns the group with this signature, or null. */
  Group group(String signature) {
    for (Group group : groups) {
      if (group.signature().equals(signature)) {
        return group;
      }
    }
    return null;
  }

  static RulePlan read(byte[] bytes) {
    Wire.Reader reader = new Wire.Reader(bytes);
    List<EventType> types = new ArrayList<>();
    for (int count = reader.count(); count > 0; count--) {
      types.add(readType(reader));
    }
    Map<String, EventType> byName = new HashMap<>();
    types.forEach(type -> byName.put(type.name(), type));
    List<Group> groups = new ArrayList<>();
    for (int count = reader.count(); count > 0; count--) {
      groups.add(readGroup(reader));
    }
    Map<String, String> undivided = new LinkedHashMap<>();
    for (int count = reader.count(); count > 0; count--) {
      String rule = reader.text();
      undivided.put(rule, reader.text());
    }
    return new RulePlan(types, byName, groups, undivided);
  }

  private static EventType readType(Wire.Reader reader) {
    String name = reader.text();
    String time = reader.text();
    boolean isOpen = reader.bool();
    List<Field> fields = new ArrayList<>();
    for (int count = reader.count(); count > 0; count--) {
      String path = reader.text();
      int lists = (int) reader.unsigned();
      Kind kind = Kind.values()[reader.u8()];
      fields.add(new Field(path, kind, lists, reader.bool()));
    }
    return new EventType(name, time, isOpen, fields);
  }

  private static Group readGroup(Wire.Reader reader) {
    String signature = reader.text();
    List<KeyPart> parts = new ArrayList<>();
    for (int count = reader.count(); count > 0; count--) {
      String name = reader.text();
      Map<String, String> fields = new LinkedHashMap<>();
      for (int types = reader.count(); types > 0; types--) {
        String type = reader.text();
        fields.put(type, reader.text());
      }
      parts.add(new KeyPart(name, fields));
    }
    List<Integer> types = new ArrayList<>();
    for (int count = reader.count(); count > 0; count--) {
      types.add((int) reader.signed());
    }
    List<String> rules = new ArrayList<>();
    for (int count = reader.count(); count > 0; count--) {
      rules.add(reader.text());
    }
    return new Group(signature, parts, types, rules);
  }
}
