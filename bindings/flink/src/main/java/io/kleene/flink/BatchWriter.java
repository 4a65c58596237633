package io.kleene.flink;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Packs events into columns in direct memory, which the native library reads in place.
 *
 * <p>{@code layout.rs} describes the layout. Only fields that the rules declare are packed.
 *
 * @param <T> the Java type of events
 */
final class BatchWriter<T> {
  private static final int VERSION = 1;
  private static final int UNDECLARED = -1;

  /** What became of an event. */
  enum Added {
    /** It is in the batch. */
    YES,
    /** No rule of the group reads its type. */
    UNREAD,
    /** It has no type: {@link #reason} says why. */
    UNTYPED,
    /** It does not fit its declaration: {@link #reason} says why. */
    REJECTED
  }

  private final EventReader<T> reader;
  private final EventReader.TypeGetter<T> type;
  /** By name: the numbers of the types that the group reads, and the rows of those that have come. */
  private final Map<String, Integer> numbers = new HashMap<>();

  private final Map<String, TypeRows<T>> types = new HashMap<>();
  private final RulePlan plan;
  private final List<TypeRows<T>> inBatch = new ArrayList<>();
  private final int maxRows;
  private final int maxBytes;
  private DirectMemory order = new DirectMemory(4 * 64);
  private DirectMemory header = new DirectMemory(8 * 64);
  private int rows;
  private int bytes;
  private String reason;

  BatchWriter(EventReader<T> reader, RulePlan plan, RulePlan.Group group, int maxRows) {
    this.reader = reader;
    this.plan = plan;
    this.type = reader.typeGetter();
    this.maxRows = maxRows;
    this.maxBytes = 4 << 20;
    for (int number : group.types()) {
      numbers.put(plan.types().get(number).name(), number);
    }
  }

  boolean isEmpty() {
    return rows == 0;
  }

  boolean isFull() {
    return rows >= maxRows || bytes >= maxBytes;
  }

  /** Returns why the last event was rejected. */
  String reason() {
    return reason;
  }

  /** Adds an event. */
  Added add(T event, long time) {
    String name = type.get(event);
    if (name == null) {
      reason = "no event type: field `" + reader.typeField() + "` is missing or null";
      return Added.UNTYPED;
    }
    TypeRows<T> of = types.get(name);
    if (of == null) {
      Integer number = numbers.get(name);
      if (number == null) {
        return Added.UNREAD;
      }
      of = new TypeRows<>(number, plan.types().get(number), reader);
      types.put(name, of);
    }
    reason = of.stage(event, time);
    if (reason != null) {
      return Added.REJECTED;
    }
    if (of.rows == 0) {
      of.part = inBatch.size();
      inBatch.add(of);
    }
    bytes += of.commit(time);
    order.ensure(4 * (rows + 1));
    order.buffer.putInt(4 * rows, of.part);
    rows++;
    return Added.YES;
  }

  /** Takes the batch that a header describes. */
  interface Target<R> {
    /** Reads the batch, and returns what became of it. */
    R push(ByteBuffer header, int words);
  }

  /** Pushes the batch to an engine, and starts a new one. Returns results, or null. */
  ByteBuffer push(NativeEngine engine) {
    return push(engine::push);
  }

  /** Pushes the batch, and starts a new one. Returns what the target returns. */
  <R> R push(Target<R> target) {
    try {
      int words = describe();
      return target.push(header.buffer, words);
    } finally {
      clear();
    }
  }

  /** Writes the header. Returns the number of its words. */
  private int describe() {
    int words = 4;
    for (TypeRows<T> of : inBatch) {
      words += 4 + 6 * of.columns.size();
    }
    header.ensure(8 * words);
    ByteBuffer out = header.buffer;
    out.clear();
    out.putLong(VERSION);
    out.putLong(rows);
    out.putLong(inBatch.size());
    out.putLong(inBatch.size() == 1 ? 0 : order.address);
    for (TypeRows<T> of : inBatch) {
      of.describe(out);
    }
    return words;
  }

  /** Drops the events of the batch. */
  void clear() {
    inBatch.forEach(TypeRows::clear);
    inBatch.clear();
    rows = 0;
    bytes = 0;
  }

  /** The rows of one event type. */
  private static final class TypeRows<T> {
    private final int number;
    private final List<Column<T>> columns = new ArrayList<>();
    private final DirectMemory times = new DirectMemory(8 * 64);
    private int part;
    private int rows;

    TypeRows(int number, RulePlan.EventType declared, EventReader<T> reader) {
      this.number = number;
      for (int field = 0; field < declared.fields().size(); field++) {
        columns.add(new Column<>(declared, field, reader));
      }
      if (declared.isOpen()) {
        columns.add(new Column<>(declared, UNDECLARED, reader));
      }
    }

    /** Reads an event. Returns why it is rejected, or null. */
    String stage(T event, long time) {
      for (Column<T> column : columns) {
        String reason = column.stage(event, time);
        if (reason != null) {
          return reason;
        }
      }
      return null;
    }

    /** Writes the event that was read last. Returns the bytes that it takes. */
    int commit(long time) {
      times.ensure(8 * (rows + 1));
      times.buffer.putLong(8 * rows, time);
      int bytes = 8;
      for (Column<T> column : columns) {
        bytes += column.commit(rows);
      }
      rows++;
      return bytes;
    }

    void describe(ByteBuffer out) {
      out.putLong(number);
      out.putLong(rows);
      out.putLong(times.address);
      out.putLong(columns.size());
      columns.forEach(column -> column.describe(out));
    }

    void clear() {
      rows = 0;
      columns.forEach(Column::clear);
    }
  }

  /** The values of one field. */
  private static final class Column<T> {
    private static final int STRING = 5;
    private static final int ANY = 6;

    private final int number;
    private final String name;
    /** What is in the lists, if the field has some. */
    private final RulePlan.Kind elementKind;

    private final int lists;
    private final boolean isOptional;
    private final boolean isTime;
    private final int wireKind;
    private final EventFields.Getter<T> getter;
    private final EventFields<T> all;
    private final Set<String> declared;
    private final String spelling;

    private final DirectMemory values = new DirectMemory(8 * 64);
    private final DirectMemory validity = new DirectMemory(64);
    private final DirectMemory ends = new DirectMemory(4 * 64);
    private final Wire.Writer writer = new Wire.Writer();
    private int length;
    private boolean hasNull;
    private boolean isNull;
    private long staged;
    private byte[] stagedBytes;
    private int stagedLength;

    Column(RulePlan.EventType type, int number, EventReader<T> reader) {
      this.number = number;
      this.all = reader.fields();
      if (number == UNDECLARED) {
        name = type.name();
        elementKind = RulePlan.Kind.ANY;
        lists = 0;
        isOptional = true;
        isTime = false;
        wireKind = ANY;
        getter = null;
        spelling = "record";
        declared = new HashSet<>();
        for (RulePlan.Field field : type.fields()) {
          int dot = field.path().indexOf('.');
          declared.add(dot < 0 ? field.path() : field.path().substring(0, dot));
        }
        declared.add(reader.typeField());
        declared.add(reader.timeField());
        return;
      }
      RulePlan.Field field = type.fields().get(number);
      name = type.name() + "." + field.path();
      elementKind = field.kind();
      lists = field.lists();
      isOptional = field.isOptional();
      isTime = field.path().equals(type.timeField());
      getter = reader.fields().getter(field.path());
      spelling = field.spelling();
      declared = null;
      wireKind =
          switch (field.rowKind()) {
            case BOOL -> 0;
            case INT -> 1;
            case FLOAT -> 2;
            case TIME -> 3;
            case DURATION -> 4;
            case STRING -> STRING;
            default -> ANY;
          };
    }

    String stage(T event, long time) {
      if (declared != null) {
        return stageUndeclared(event);
      }
      Object value = getter == null ? null : getter.get(event);
      isNull = value == null;
      if (isNull && isTime) {
        isNull = false;
        staged = time;
        return null;
      }
      if (isNull) {
        return isOptional ? null : "`" + name + "` is missing or null";
      }
      try {
        switch (wireKind) {
          case 0 -> staged = FieldValues.toBool(value) ? 1 : 0;
          case 1 -> staged = FieldValues.toInt(value);
          case 2 -> staged = Double.doubleToRawLongBits(FieldValues.toFloat(value));
          case 3 -> staged = FieldValues.toTime(value);
          case 4 -> staged = FieldValues.toDuration(value);
          case STRING -> {
            stagedBytes = FieldValues.toUtf8(value);
            stagedLength = stagedBytes.length;
          }
          default -> {
            writer.clear();
            FieldValues.write(writer, value, elementKind, lists);
            stageWritten();
          }
        }
      } catch (FieldValues.WrongType wrong) {
        return "`" + name + "` " + wrong.getMessage() + ", and declared as " + spelling;
      }
      return null;
    }

    private String stageUndeclared(T event) {
      List<String> names = new ArrayList<>();
      for (String field : all.names(event)) {
        if (!declared.contains(field)) {
          names.add(field);
        }
      }
      isNull = names.isEmpty();
      writer.clear();
      writer.u8(Wire.RECORD);
      writer.unsigned(names.size());
      for (String field : names) {
        writer.text(field);
        try {
          FieldValues.writeAny(writer, all.getter(field).get(event));
        } catch (FieldValues.WrongType wrong) {
          return "`" + name + "." + field + "` " + wrong.getMessage();
        }
      }
      stageWritten();
      return null;
    }

    private void stageWritten() {
      stagedBytes = writer.array();
      stagedLength = writer.length();
    }

    int commit(int row) {
      validity.ensure(row + 1);
      validity.buffer.put(row, (byte) (isNull ? 0 : 1));
      hasNull |= isNull;
      if (wireKind >= STRING) {
        int more = isNull ? 0 : stagedLength;
        if (more > 0) {
          values.ensure(length + more);
          values.buffer.put(length, stagedBytes, 0, more);
          length += more;
        }
        ends.ensure(4 * (row + 1));
        ends.buffer.putInt(4 * row, length);
        return more + 5;
      }
      if (wireKind == 0) {
        values.ensure(row + 1);
        values.buffer.put(row, (byte) (isNull ? 0 : staged));
        return 2;
      }
      values.ensure(8 * (row + 1));
      values.buffer.putLong(8 * row, isNull ? 0 : staged);
      return 9;
    }

    void describe(ByteBuffer out) {
      boolean hasEnds = wireKind >= STRING;
      out.putLong(number);
      out.putLong(wireKind);
      out.putLong(values.address);
      out.putLong(hasNull ? validity.address : 0);
      out.putLong(hasEnds ? ends.address : 0);
      out.putLong(hasEnds ? length : 0);
    }

    void clear() {
      length = 0;
      hasNull = false;
    }
  }

  /** Direct memory that grows. */
  private static final class DirectMemory {
    private ByteBuffer buffer;
    private long address;

    DirectMemory(int capacity) {
      allocate(capacity);
    }

    private void allocate(int capacity) {
      try {
        buffer = ByteBuffer.allocateDirect(capacity).order(ByteOrder.nativeOrder());
      } catch (OutOfMemoryError error) {
        throw NativeMemory.refused("the buffers of a batch", error);
      }
      address = NativeEngine.address(buffer);
    }

    void ensure(int capacity) {
      if (buffer.capacity() >= capacity) {
        return;
      }
      ByteBuffer old = buffer;
      allocate(Math.max(capacity, 2 * old.capacity()));
      old.clear();
      buffer.put(0, old, 0, old.capacity());
    }
  }
}
