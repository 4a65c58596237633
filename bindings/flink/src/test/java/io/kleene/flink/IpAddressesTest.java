package io.kleene.flink;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import java.net.InetAddress;
import java.util.List;
import org.junit.jupiter.api.Test;

class IpAddressesTest {
  @Test
  void textsOfAddressesAreRead() throws Exception {
    for (String text :
        List.of("0.0.0.0", "10.0.0.1", "203.0.113.9", "255.255.255.255", "::", "::1", "2001:db8::7")) {
      byte[] read = IpAddresses.parse(text);
      assertArrayEquals(InetAddress.getByName(text).getAddress(), read, text);
      assertEquals(text, IpAddresses.format(read));
    }
    byte[] mapped = IpAddresses.parse("::ffff:10.0.0.1");
    assertEquals(16, mapped.length);
    assertEquals(10, mapped[12]);
    assertEquals(1, mapped[15]);
  }

  @Test
  void otherTextsAreNone() {
    for (String text :
        List.of(
            "", ".", "10.0.0", "10.0.0.", ".10.0.0", "10.0.0.1.", "10.0.0.1.2", "10..0.1", "256.0.0.1",
            "1000.0.0.1", "01.0.0.1", "10.0.0.00", "10.0.0.1 ", " 10.0.0.1", "-1.0.0.1", "a.b.c.d",
            "10,0,0,1", "\u0661.0.0.1", ":", "1:2:3:4:5:6:7", "::g", "1::2::3", "::256.0.0.1")) {
      assertNull(IpAddresses.parse(text), text);
    }
  }
}
