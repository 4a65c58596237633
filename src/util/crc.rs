//! CRC-32C (Castagnoli), which distinguishes damaged bytes from whole ones. Eight tables take eight
//! bytes a step ("slicing by 8", Kounavis and Berry 2005).
//!
//! There is only the first table in WebAssembly: tables do not compress, and modules are downloaded.

const POLYNOMIAL: u32 = 0x82f6_3b78;

/// The number of tables, and of the bytes that a step takes.
const STEP: usize = if cfg!(target_family = "wasm") { 1 } else { 8 };

static TABLES: [[u32; 256]; STEP] = tables();

const fn tables() -> [[u32; 256]; STEP] {
    let mut tables = [[0; 256]; STEP];
    let mut byte = 0;
    while byte < 256 {
        #[expect(clippy::cast_possible_truncation, reason = "less than 256")]
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ POLYNOMIAL } else { crc >> 1 };
            bit += 1;
        }
        tables[0][byte] = crc;
        byte += 1;
    }
    let mut table = 1;
    while table < STEP {
        let mut byte = 0;
        while byte < 256 {
            let before = tables[table - 1][byte];
            tables[table][byte] = before >> 8 ^ tables[0][(before & 0xff) as usize];
            byte += 1;
        }
        table += 1;
    }
    tables
}

/// The checksum of `bytes`.
pub(crate) fn crc32c(bytes: &[u8]) -> u32 {
    let look = |table: usize, byte: u32| TABLES[table][(byte & 0xff) as usize];
    let mut crc = !0;
    let (steps, rest) = if STEP == 8 { bytes.as_chunks() } else { (&[][..], bytes) };
    for &[a, b, c, d, e, f, g, h] in steps {
        let low = u32::from_le_bytes([a, b, c, d]) ^ crc;
        crc = look(7, low) ^ look(6, low >> 8) ^ look(5, low >> 16) ^ look(4, low >> 24);
        crc ^= look(3, e.into()) ^ look(2, f.into()) ^ look(1, g.into()) ^ look(0, h.into());
    }
    for &byte in rest {
        crc = crc >> 8 ^ look(0, crc ^ u32::from(byte));
    }
    !crc
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksums_of_rfc_3720() {
        let rising: Vec<u8> = (0..32).collect();
        assert_eq!(crc32c(b""), 0);
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
        assert_eq!(crc32c(&rising), 0x46dd_794e);
    }
}
