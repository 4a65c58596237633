package io.kleene.flink;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonParser;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonProcessingException;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.DeserializationFeature;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;

/**
 * Makes events of records as {@code kleene run} does. The map of an event has its declared fields
 * where the record has them, with values of the declared types.
 */
final class FileParser {
  private static final ObjectMapper JSON =
      new ObjectMapper()
          .configure(JsonParser.Feature.STRICT_DUPLICATE_DETECTION, true)
          .configure(DeserializationFeature.FAIL_ON_TRAILING_TOKENS, true);

  private final FileSettings settings;
  private final Map<String, RulePlan.EventType> types = new HashMap<>();
  private final char delimiter;
  private final List<String> header;

  /** Makes a parser of JSON lines, or of CSV with the header of a file. */
  FileParser(FileSettings settings, String header) {
    this.settings = settings;
    for (RulePlan.EventType type : settings.plan().types()) {
      types.put(type.name(), type);
    }
    this.delimiter = InputRecords.delimiter(Path.of(settings.file()));
    if (header == null) {
      this.header = null;
      return;
    }
    this.header = cells(header).stream().map(String::trim).toList();
    if (settings.type() == null && !this.header.contains(settings.typeField())) {
      throw new IllegalArgumentException(
          "the CSV header has no column `"
              + settings.typeField()
              + "` for the event type: name the column with --type-field, or the type of all events"
              + " with --type");
    }
    if (new java.util.HashSet<>(this.header).size() < this.header.size()) {
      throw new IllegalArgumentException("the CSV header has two columns of one name");
    }
  }

  /** Parses a record. */
  FileEvent parse(InputRecords.Line line) {
    FileEvent event = new FileEvent();
    event.line = line.number();
    try {
      if (line.text() == null) {
        throw new FieldValues.WrongType("not UTF-8");
      }
      if (header == null) {
        parseJson(event, line.text());
      } else {
        parseCsv(event, line.text());
      }
    } catch (FieldValues.WrongType wrong) {
      event.fields = null;
      event.reason = wrong.getMessage();
    }
    return event;
  }

  // ---- JSON

  @SuppressWarnings("unchecked")
  private void parseJson(FileEvent event, String text) throws FieldValues.WrongType {
    Object read;
    try {
      read = JSON.readValue(text, Object.class);
    } catch (JsonProcessingException error) {
      throw new FieldValues.WrongType("not JSON: " + error.getOriginalMessage());
    }
    if (!(read instanceof Map)) {
      throw new FieldValues.WrongType("not an event: expected an object");
    }
    Map<String, Object> fields = (Map<String, Object>) read;
    RulePlan.EventType type = types.get(typeOf(fields));
    if (type == null) {
      return;
    }
    Object common = fields.get(settings.timeField());
    for (RulePlan.Field field : type.fields()) {
      convert(fields, field, field.path().equals(type.timeField()));
    }
    if (type.isOpen()) {
      fields.replaceAll((name, value) -> type.field(name) == null ? plain(value) : value);
    }
    finish(event, type, fields, common);
  }

  private static Object plain(Object value) {
    return value instanceof Map ? value : InputValues.plain(value);
  }

  private String typeOf(Map<String, Object> fields) throws FieldValues.WrongType {
    if (settings.type() != null) {
      return settings.type();
    }
    String path = settings.typeField();
    Object type = new MapFields().getter(path).get(fields);
    if (type instanceof List<?> list) {
      List<?> known = list.stream().filter(types::containsKey).distinct().toList();
      if (known.size() > 1 || list.isEmpty()) {
        throw new FieldValues.WrongType("the event type is a list with " + known);
      }
      type = known.isEmpty() ? list.get(0) : known.get(0);
      fields.put(path, type);
    }
    if (type instanceof String name) {
      return name;
    }
    throw new FieldValues.WrongType(
        type == null ? "no event type: missing field `" + path + "`" : "the event type is no text");
  }

  /** Converts a field where it is: under its path, or in objects. */
  @SuppressWarnings("unchecked")
  private static void convert(Map<String, Object> fields, RulePlan.Field field, boolean isTime)
      throws FieldValues.WrongType {
    Map<String, Object> holder = fields;
    String name = field.path();
    for (int dot = name.indexOf('.'); dot > 0 && !holder.containsKey(name); ) {
      Object inner = holder.get(name.substring(0, dot));
      if (inner != null && !(inner instanceof Map)) {
        throw new FieldValues.WrongType(
            "field `" + field.path() + "`: expected an object, found " + inner);
      }
      holder = inner == null ? Map.of() : (Map<String, Object>) inner;
      name = name.substring(dot + 1);
      dot = name.indexOf('.');
    }
    Object value = holder.get(name);
    if (value == null) {
      if (!field.isOptional() && !isTime) {
        throw new FieldValues.WrongType("missing field `" + field.path() + "`");
      }
      return;
    }
    try {
      holder.put(name, InputValues.fromJson(value, field.kind(), field.lists()));
    } catch (FieldValues.WrongType wrong) {
      throw new FieldValues.WrongType("field `" + field.path() + "` " + wrong.getMessage());
    }
  }

  /** Finds the time of an event: that of its own field, or of the common one. */
  private void finish(
      FileEvent event, RulePlan.EventType type, Map<String, Object> fields, Object common)
      throws FieldValues.WrongType {
    String own = type.timeField();
    Object time = own.isEmpty() ? null : new MapFields().getter(own).get(fields);
    if (time == null) {
      try {
        time = InputValues.fromJson(common, RulePlan.Kind.TIME, 0);
      } catch (FieldValues.WrongType wrong) {
        throw new FieldValues.WrongType(
            "field `" + settings.timeField() + "` " + wrong.getMessage());
      }
    }
    if (time == null) {
      throw new FieldValues.WrongType("no event time: missing field `" + settings.timeField() + "`");
    }
    event.time = (Long) time;
    event.fields = fields;
  }

  // ---- CSV

  private void parseCsv(FileEvent event, String text) throws FieldValues.WrongType {
    List<String> cells = cells(text);
    if (cells.size() != header.size()) {
      throw new FieldValues.WrongType(
          "expected " + header.size() + " cells as in the header, found " + cells.size());
    }
    Map<String, String> row = new HashMap<>();
    for (int column = 0; column < cells.size(); column++) {
      row.put(header.get(column), cells.get(column));
    }
    String name = settings.type() != null ? settings.type() : row.get(settings.typeField());
    if (name.isEmpty()) {
      throw new FieldValues.WrongType(
          "no event type: the column `" + settings.typeField() + "` is empty");
    }
    RulePlan.EventType type = types.get(name);
    if (type == null) {
      return;
    }
    Map<String, Object> fields = new LinkedHashMap<>();
    fields.put(settings.typeField(), name);
    if (type.isOpen()) {
      row.forEach((column, cell) -> addUndeclared(fields, type, column, cell));
    }
    for (RulePlan.Field field : type.fields()) {
      Object value = cell(row.get(field.path()), field);
      if (value != null) {
        fields.put(field.path(), value);
      } else if (!field.isOptional() && !field.path().equals(type.timeField())) {
        throw new FieldValues.WrongType("missing field `" + field.path() + "`");
      }
    }
    String common = row.get(settings.timeField());
    finish(event, type, fields, common == null || common.isEmpty() ? null : common);
  }

  private static void addUndeclared(
      Map<String, Object> fields, RulePlan.EventType type, String column, String cell) {
    if (!cell.isEmpty() && type.field(column) == null && !fields.containsKey(column)) {
      fields.put(column, InputValues.guess(cell));
    }
  }

  /** An empty cell is null, unless it must be text. */
  private static Object cell(String cell, RulePlan.Field field) throws FieldValues.WrongType {
    if (cell == null || cell.isEmpty()) {
      boolean mustBeText =
          cell != null && field.rowKind() == RulePlan.Kind.STRING && !field.isOptional();
      return mustBeText ? "" : null;
    }
    try {
      if (field.lists() == 0) {
        return InputValues.fromText(cell, field.kind());
      }
      return cell.startsWith("[")
          ? InputValues.fromJson(JSON.readValue(cell, List.class), field.kind(), field.lists())
          : List.of(InputValues.fromText(cell, field.kind()));
    } catch (JsonProcessingException error) {
      throw new FieldValues.WrongType("field `" + field.path() + "` is no list: " + cell);
    } catch (FieldValues.WrongType wrong) {
      throw new FieldValues.WrongType("field `" + field.path() + "` " + wrong.getMessage());
    }
  }

  private List<String> cells(String record) {
    List<String> cells = new ArrayList<>();
    int at = 0;
    while (true) {
      String quoted = "";
      if (at < record.length() && record.charAt(at) == '"') {
        int end = InputRecords.closing(record, at + 1);
        end = end < 0 ? record.length() : end;
        quoted = record.substring(at + 1, end).replace("\"\"", "\"");
        at = Math.min(end + 1, record.length());
      }
      int end = record.indexOf(delimiter, at);
      cells.add(quoted + record.substring(at, end < 0 ? record.length() : end));
      if (end < 0) {
        return cells;
      }
      at = end + 1;
    }
  }
}
