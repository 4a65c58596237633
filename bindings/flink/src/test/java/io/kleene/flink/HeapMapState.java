package io.kleene.flink;

import java.util.HashMap;
import java.util.Iterator;
import java.util.Map;
import org.apache.flink.api.common.state.MapState;

/** Keyed state of one key, in a map. */
final class HeapMapState implements MapState<Integer, byte[]> {
  private final Map<Integer, byte[]> entries = new HashMap<>();

  @Override
  public byte[] get(Integer key) {
    return entries.get(key);
  }

  @Override
  public void put(Integer key, byte[] value) {
    entries.put(key, value);
  }

  @Override
  public void putAll(Map<Integer, byte[]> map) {
    entries.putAll(map);
  }

  @Override
  public void remove(Integer key) {
    entries.remove(key);
  }

  @Override
  public boolean contains(Integer key) {
    return entries.containsKey(key);
  }

  @Override
  public Iterable<Map.Entry<Integer, byte[]>> entries() {
    return entries.entrySet();
  }

  @Override
  public Iterable<Integer> keys() {
    return entries.keySet();
  }

  @Override
  public Iterable<byte[]> values() {
    return entries.values();
  }

  @Override
  public Iterator<Map.Entry<Integer, byte[]>> iterator() {
    return entries.entrySet().iterator();
  }

  @Override
  public boolean isEmpty() {
    return entries.isEmpty();
  }

  @Override
  public void clear() {
    entries.clear();
  }
}
