package io.kleene.flink;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Iterator;
import java.util.Map;
import java.util.zip.CRC32C;
import org.apache.flink.api.common.state.MapState;
import org.apache.flink.api.common.state.MapStateDescriptor;
import org.apache.flink.api.common.typeutils.base.IntSerializer;
import org.apache.flink.api.common.typeutils.base.array.BytePrimitiveArraySerializer;

/**
 * The state of one key group as entries of managed keyed state: a header and chunks of at most 4 MiB.
 *
 * <p>Managed state can be restored to another parallelism and another state backend. The header has
 * the sizes and a checksum, so that damage is seen before the native library reads it.
 */
final class KeyGroupChunks {
  static final MapStateDescriptor<Integer, byte[]> DESCRIPTOR =
      new MapStateDescriptor<>(
          "kleene-key-groups", IntSerializer.INSTANCE, BytePrimitiveArraySerializer.INSTANCE);

  private static final int MAGIC = 0x6b6c6567;
  private static final int FORMAT = 1;
  private static final int HEADER = -1;
  private static final int HEADER_BYTES = 40;
  private static final int CHUNK = 4 << 20;

  private KeyGroupChunks() {}

  /** The state of a key group, and the watermark of the task that wrote it. */
  record Stored(byte[] part, long watermark) {}

  /**
   * Writes the state of the current key's group, and drops chunks of an older one. A key group
   * without state has a header, too, as events up to its watermark are late.
   */
  static void write(MapState<Integer, byte[]> state, String operator, byte[] part, long watermark)
      throws Exception {
    state.clear();
    int chunks = (part.length + CHUNK - 1) / CHUNK;
    ByteBuffer header = ByteBuffer.allocate(HEADER_BYTES);
    header.putInt(MAGIC).putInt(FORMAT).putInt(operator.hashCode()).putInt(chunks);
    header.putLong(part.length).putInt(checksum(part, part.length)).putLong(watermark);
    header.putInt(checksum(header.array(), HEADER_BYTES - 4));
    state.put(HEADER, header.array());
    for (int chunk = 0; chunk < chunks; chunk++) {
      int end = Math.min(part.length, (chunk + 1) * CHUNK);
      state.put(chunk, Arrays.copyOfRange(part, chunk * CHUNK, end));
    }
  }

  /** Reads the state of the current key's group; null if the group has no state. */
  static Stored read(MapState<Integer, byte[]> state, String operator) throws Exception {
    byte[] bytes = state.get(HEADER);
    if (bytes == null) {
      Iterator<Map.Entry<Integer, byte[]>> others = state.iterator();
      if (others != null && others.hasNext()) {
        throw damaged("it has no header");
      }
      return null;
    }
    if (bytes.length != HEADER_BYTES) {
      throw damaged("its header has another length");
    }
    ByteBuffer header = ByteBuffer.wrap(bytes);
    if (header.getInt() != MAGIC) {
      throw damaged("it is no state of Kleene");
    }
    int format = header.getInt();
    if (format != FORMAT) {
      throw damaged("it has format " + format + ", which a later version has written");
    }
    if (header.getInt(HEADER_BYTES - 4) != checksum(bytes, HEADER_BYTES - 4)) {
      throw damaged("the checksum of its header does not fit");
    }
    if (header.getInt() != operator.hashCode()) {
      throw damaged("it is of rules with another key");
    }
    int chunks = header.getInt();
    byte[] part = new byte[Math.toIntExact(header.getLong())];
    int checksum = header.getInt();
    long watermark = header.getLong();
    int length = 0;
    for (int chunk = 0; chunk < chunks; chunk++) {
      byte[] piece = state.get(chunk);
      if (piece == null || piece.length > part.length - length) {
        throw damaged("chunk " + chunk + " of " + chunks + " is missing or too long");
      }
      System.arraycopy(piece, 0, part, length, piece.length);
      length += piece.length;
    }
    if (length != part.length || checksum(part, part.length) != checksum) {
      throw damaged("its checksum does not fit");
    }
    return new Stored(part, watermark);
  }

  private static KleeneException damaged(String reason) {
    return new KleeneException("the state of a key group cannot be restored: " + reason);
  }

  private static int checksum(byte[] bytes, int length) {
    CRC32C crc = new CRC32C();
    crc.update(bytes, 0, length);
    return (int) crc.getValue();
  }
}
