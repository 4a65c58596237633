package io.kleene.flink;

import java.io.IOException;
import java.io.ObjectInputStream;
import java.lang.reflect.Field;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.java.typeutils.PojoTypeInfo;

/**
 * Reads POJOs, as Flink defines them.
 *
 * @param <T> the class
 */
final class PojoFields<T> implements EventFields<T> {
  private static final long serialVersionUID = 1L;

  private final PojoTypeInfo<T> type;

  PojoFields(PojoTypeInfo<T> type) {
    this.type = type;
  }

  @Override
  public Getter<T> getter(String path) {
    int dot = path.indexOf('.');
    String head = dot < 0 ? path : path.substring(0, dot);
    int position = type.getFieldIndex(head);
    if (position < 0) {
      return null;
    }
    Getter<T> outer = new FieldGetter<>(type.getPojoFieldAt(position).getField());
    if (dot < 0) {
      return outer;
    }
    String rest = path.substring(dot + 1);
    TypeInformation<?> inner = type.getTypeAt(position);
    if (inner instanceof PojoTypeInfo<?> pojo) {
      return nested(outer, new PojoFields<>(pojo).getter(rest));
    }
    return event -> outer.get(event) instanceof Map<?, ?> map ? map.get(rest) : null;
  }

  @SuppressWarnings("unchecked")
  private static <T, U> Getter<T> nested(Getter<T> outer, Getter<U> inner) {
    if (inner == null) {
      return null;
    }
    return event -> {
      Object value = outer.get(event);
      return value == null ? null : inner.get((U) value);
    };
  }

  @Override
  public List<String> names(T event) {
    return new ArrayList<>(Arrays.asList(type.getFieldNames()));
  }

  /** Reads a field of a class, which is found again where it is sent to. */
  private static final class FieldGetter<T> implements Getter<T> {
    private static final long serialVersionUID = 1L;

    private final Class<?> declaring;
    private final String name;
    private transient Field field;

    FieldGetter(Field field) {
      this.declaring = field.getDeclaringClass();
      this.name = field.getName();
      this.field = field;
      field.setAccessible(true);
    }

    private void readObject(ObjectInputStream in) throws IOException, ClassNotFoundException {
      in.defaultReadObject();
      try {
        field = declaring.getDeclaredField(name);
        field.setAccessible(true);
      } catch (NoSuchFieldException error) {
        throw new IOException(declaring.getName() + " has no field " + name, error);
      }
    }

    @Override
    public Object get(T event) {
      try {
        return field.get(event);
      } catch (IllegalAccessException impossible) {
        throw new KleeneException("field " + name + " cannot be read", impossible);
      }
    }
  }
}
