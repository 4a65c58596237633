//! The frame of a snapshot: a header, sections with their lengths, and a checksum.

use crate::stream::engine::Identity;
use crate::stream::snapshot::RestoreError;
use crate::util::crc::crc32c;
use kleene_event::util::wire::Reader;

/// The first bytes of every snapshot. The first byte is not text, so that no one edits the file.
const MAGIC: [u8; 8] = *b"\x89kleene\n";

/// The version of the format that is written.
const VERSION: u16 = 7;

const HEADER: usize = 12;

/// The place of the contents of the section that is written first.
pub(super) const FIRST_CONTENTS: usize = HEADER + 1 + 8;

const CHECKSUM: usize = 4;

/// The sections of a snapshot. `docs/format.md` describes each section; these numbers never change.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub(super) enum Section {
    /// The snapshot that changes follow.
    Base = 1,
    Engine = 2,
    Schema = 3,
    Rules = 4,
    Texts = 5,
    Buffer = 6,
    Derived = 7,
    Suppressed = 8,
    Keys = 9,
}

const SECTIONS: [Section; 9] = [
    Section::Base,
    Section::Engine,
    Section::Schema,
    Section::Rules,
    Section::Texts,
    Section::Buffer,
    Section::Derived,
    Section::Suppressed,
    Section::Keys,
];

impl Section {
    /// Returns the name of the section in messages.
    pub(super) fn name(self) -> &'static str {
        match self {
            Section::Base => "base",
            Section::Engine => "engine",
            Section::Schema => "schema",
            Section::Rules => "rules",
            Section::Texts => "texts",
            Section::Buffer => "buffer",
            Section::Derived => "derived",
            Section::Suppressed => "suppressed",
            Section::Keys => "keys",
        }
    }
}

/// Writes sections one after the other.
#[derive(Clone)]
pub(super) struct SnapshotFrame {
    out: Vec<u8>,
    /// The start of the contents of the last section.
    from: usize,
}

impl SnapshotFrame {
    /// Starts a snapshot.
    pub(super) fn begin() -> SnapshotFrame {
        let mut out = Vec::new();
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&[0; 2]);
        SnapshotFrame { out, from: 0 }
    }

    /// Adds a section with the bytes that `write` appends.
    pub(super) fn section(&mut self, section: Section, write: impl FnOnce(&mut Vec<u8>)) {
        self.open(section);
        write(self.contents());
        self.close();
    }

    /// Starts a section.
    pub(super) fn open(&mut self, section: Section) {
        self.out.push(section as u8);
        self.out.extend_from_slice(&[0; 8]);
        self.from = self.out.len();
    }

    /// Returns the bytes to which the contents of the open section are appended.
    #[inline]
    pub(super) fn contents(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    /// Ends the open section.
    pub(super) fn close(&mut self) {
        let written = (self.out.len() - self.from) as u64;
        self.out[self.from - 8..self.from].copy_from_slice(&written.to_le_bytes());
    }

    /// Returns the checksum of the bytes so far.
    pub(super) fn checksum(&self) -> u32 {
        crc32c(&self.out)
    }

    /// Writes over bytes that were written before.
    pub(super) fn replace(&mut self, at: usize, bytes: &[u8]) {
        self.out[at..at + bytes.len()].copy_from_slice(bytes);
    }

    /// Adds the checksum. Returns the bytes of the snapshot and their identity.
    pub(super) fn end(mut self) -> (Vec<u8>, Identity) {
        let checksum = self.checksum();
        self.out.extend_from_slice(&checksum.to_le_bytes());
        let length = self.out.len() as u64;
        (self.out, Identity { checksum, length })
    }
}

/// The sections of a complete snapshot.
#[derive(Debug)]
pub(super) struct Sections<'a> {
    pub(super) identity: Identity,
    sections: [Option<&'a [u8]>; SECTIONS.len()],
}

impl<'a> Sections<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Result<Sections<'a>, RestoreError> {
        let beginning = &bytes[..bytes.len().min(MAGIC.len())];
        if !MAGIC.starts_with(beginning) {
            return Err(RestoreError::NotASnapshot);
        }
        let Some((body, checksum)) = bytes.split_last_chunk::<CHECKSUM>() else {
            return Err(RestoreError::Damaged);
        };
        if body.len() < HEADER {
            return Err(RestoreError::Damaged);
        }
        // The version is checked before the checksum: a later version may have another one.
        let version = u16::from_le_bytes([bytes[8], bytes[9]]);
        if version > VERSION {
            return Err(RestoreError::Version(version));
        }
        let checksum = u32::from_le_bytes(*checksum);
        if crc32c(body) != checksum {
            return Err(RestoreError::Damaged);
        }
        let malformed = |what| RestoreError::Malformed { section: what };
        let mut reader = Reader::new(&body[HEADER..]);
        let mut sections = [None; SECTIONS.len()];
        while let Some(tag) = reader.u8() {
            let place = SECTIONS.iter().position(|section| *section as u8 == tag);
            let place = place.filter(|place| sections[*place].is_none());
            let length = reader.array().map(u64::from_le_bytes);
            let content = length.and_then(|length| reader.take(usize::try_from(length).ok()?));
            let (Some(place), Some(content)) = (place, content) else {
                return Err(malformed("header"));
            };
            sections[place] = Some(content);
        }
        let length = bytes.len() as u64;
        Ok(Sections { identity: Identity { checksum, length }, sections })
    }

    /// Reads a section to its end with `read`; `None` if the section is missing.
    ///
    /// # Errors
    /// [`RestoreError`] if the contents are invalid.
    pub(super) fn optional<T>(
        &self,
        section: Section,
        read: impl FnOnce(&mut Reader<'a>) -> Option<T>,
    ) -> Result<Option<T>, RestoreError> {
        let place = SECTIONS.iter().position(|other| *other == section);
        let Some(bytes) = place.and_then(|place| self.sections[place]) else { return Ok(None) };
        let mut reader = Reader::new(bytes);
        match read(&mut reader).filter(|_| reader.is_at_end()) {
            Some(read) => Ok(Some(read)),
            None => Err(RestoreError::Malformed { section: section.name() }),
        }
    }

    /// Reads a required section to its end with `read`.
    ///
    /// # Errors
    /// [`RestoreError`] if the section is missing or its contents are invalid.
    pub(super) fn required<T>(
        &self,
        section: Section,
        read: impl FnOnce(&mut Reader<'a>) -> Option<T>,
    ) -> Result<T, RestoreError> {
        let read = self.optional(section, read)?;
        read.ok_or(RestoreError::Malformed { section: section.name() })
    }
}
