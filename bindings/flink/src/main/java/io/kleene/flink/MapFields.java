package io.kleene.flink;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Reads maps from names to values, as parsers of JSON make them. */
final class MapFields implements EventFields<Map<String, Object>> {
  private static final long serialVersionUID = 1L;

  @Override
  public Getter<Map<String, Object>> getter(String path) {
    return path.indexOf('.') < 0 ? event -> event.get(path) : event -> nested(event, path);
  }

  private static Object nested(Map<?, ?> event, String path) {
    Object whole = event.get(path);
    int dot = path.indexOf('.');
    if (whole != null || dot < 0) {
      return whole;
    }
    Object inner = event.get(path.substring(0, dot));
    return inner instanceof Map<?, ?> map ? nested(map, path.substring(dot + 1)) : null;
  }

  @Override
  public List<String> names(Map<String, Object> event) {
    return new ArrayList<>(event.keySet());
  }
}
