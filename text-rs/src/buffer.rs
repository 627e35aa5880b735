//! Owned bytes that cross the boundary: a `Vec<u8>` taken apart, put together again to be freed.

#[repr(C)]
pub struct QuireBuffer {
    data: *mut u8,
    size: usize,
    capacity: usize,
}

impl From<Vec<u8>> for QuireBuffer {
    fn from(bytes: Vec<u8>) -> Self {
        let mut bytes = std::mem::ManuallyDrop::new(bytes);
        QuireBuffer {
            data: bytes.as_mut_ptr(),
            size: bytes.len(),
            capacity: bytes.capacity(),
        }
    }
}

impl QuireBuffer {
    pub fn of_words<'a>(words: impl ExactSizeIterator<Item = &'a u32>) -> Self {
        let mut bytes = Vec::with_capacity(words.len() * 4);
        for word in words {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        bytes.into()
    }
}

/// # Safety
/// `buffer` came from this library and is freed once.
#[no_mangle]
pub unsafe extern "C" fn quire_text_buffer_free(buffer: QuireBuffer) {
    if buffer.data.is_null() {
        return;
    }
    drop(Vec::from_raw_parts(
        buffer.data,
        buffer.size,
        buffer.capacity,
    ));
}
