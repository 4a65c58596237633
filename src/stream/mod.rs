//! Many keys, any order: the engine around [`exec`](crate::exec).
