//! CRC-32C (Castagnoli), which distinguishes damaged bytes from whole ones.

use crc::{CRC_32_ISCSI, Crc, Table};

/// The number of tables. One is slower, but tables do not compress, and modules of WebAssembly are
/// downloaded.
const TABLES: usize = if cfg!(target_family = "wasm") { 1 } else { 16 };

static CRC_32C: Crc<u32, Table<TABLES>> = Crc::<u32, Table<TABLES>>::new(&CRC_32_ISCSI);

/// The checksum of `bytes`.
pub(crate) fn crc32c(bytes: &[u8]) -> u32 {
    CRC_32C.checksum(bytes)
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
