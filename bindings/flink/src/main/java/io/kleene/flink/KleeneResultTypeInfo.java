package io.kleene.flink;

import java.io.IOException;
import java.lang.reflect.Type;
import java.util.Map;
import org.apache.flink.api.common.serialization.SerializerConfig;
import org.apache.flink.api.common.typeinfo.TypeInfoFactory;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeutils.SimpleTypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.TypeSerializer;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.base.TypeSerializerSingleton;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

/** The type of {@link KleeneResult} for Flink: its kind, and its bytes as they are. */
public final class KleeneResultTypeInfo extends TypeInformation<KleeneResult> {
  private static final long serialVersionUID = 1L;

  /** The only one. */
  public static final KleeneResultTypeInfo INSTANCE = new KleeneResultTypeInfo();

  private KleeneResultTypeInfo() {}

  /** Gives the type to Flink. */
  public static final class Factory extends TypeInfoFactory<KleeneResult> {
    @Override
    public TypeInformation<KleeneResult> createTypeInfo(
        Type type, Map<String, TypeInformation<?>> parameters) {
      return INSTANCE;
    }
  }

  @Override
  public boolean isBasicType() {
    return false;
  }

  @Override
  public boolean isTupleType() {
    return false;
  }

  @Override
  public int getArity() {
    return 1;
  }

  @Override
  public int getTotalFields() {
    return 1;
  }

  @Override
  public Class<KleeneResult> getTypeClass() {
    return KleeneResult.class;
  }

  @Override
  public boolean isKeyType() {
    return false;
  }

  @Override
  public TypeSerializer<KleeneResult> createSerializer(SerializerConfig config) {
    return Serializer.INSTANCE;
  }

  @Override
  public String toString() {
    return "KleeneResult";
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof KleeneResultTypeInfo;
  }

  @Override
  public int hashCode() {
    return KleeneResultTypeInfo.class.hashCode();
  }

  @Override
  public boolean canEqual(Object other) {
    return other instanceof KleeneResultTypeInfo;
  }

  /** Writes the kind, the length, and the bytes. */
  public static final class Serializer extends TypeSerializerSingleton<KleeneResult> {
    private static final long serialVersionUID = 1L;

    /** The only one. */
    public static final Serializer INSTANCE = new Serializer();

    @Override
    public boolean isImmutableType() {
      return true;
    }

    @Override
    public KleeneResult createInstance() {
      return new KleeneResult(KleeneResult.Kind.LIMIT, new byte[0]);
    }

    @Override
    public KleeneResult copy(KleeneResult from) {
      return from;
    }

    @Override
    public KleeneResult copy(KleeneResult from, KleeneResult reuse) {
      return from;
    }

    @Override
    public int getLength() {
      return -1;
    }

    @Override
    public void serialize(KleeneResult result, DataOutputView target) throws IOException {
      target.writeByte(result.getKind().ordinal());
      target.writeInt(result.content().length);
      target.write(result.content());
    }

    @Override
    public KleeneResult deserialize(DataInputView source) throws IOException {
      KleeneResult.Kind kind = KleeneResult.Kind.values()[source.readByte()];
      byte[] content = new byte[source.readInt()];
      source.readFully(content);
      return new KleeneResult(kind, content);
    }

    @Override
    public KleeneResult deserialize(KleeneResult reuse, DataInputView source) throws IOException {
      return deserialize(source);
    }

    @Override
    public void copy(DataInputView source, DataOutputView target) throws IOException {
      serialize(deserialize(source), target);
    }

    @Override
    public TypeSerializerSnapshot<KleeneResult> snapshotConfiguration() {
      return new Snapshot();
    }
  }

  /** The configuration of the serializer, which has none. */
  public static final class Snapshot extends SimpleTypeSerializerSnapshot<KleeneResult> {
    /** Makes it. */
    public Snapshot() {
      super(() -> Serializer.INSTANCE);
    }
  }
}
