//! A plugin's heap. It starts in memory that the instance has from the start, so that an ordinary
//! call never grows it: growing changes page protections, and so does the next instance that shrinks
//! it back, each time on every core of the host (measured: two calls of `mprotect` for each call of
//! a plugin). What does not fit grows as usual.
//!
//! This is the allocator of Rust's standard library for this target, over another source of memory.
#![allow(unsafe_code, reason = "an allocator is unsafe by its traits")]

use core::alloc::{GlobalAlloc, Layout};
use core::arch::wasm32::memory_grow;
use core::cell::{Cell, UnsafeCell};
use core::ptr;

use dlmalloc::{Allocator, Dlmalloc};

const PAGE: usize = 64 << 10;

/// How much there is from the start; what is not touched costs nothing.
const INITIAL: usize = 8 * PAGE;

#[repr(align(16))]
struct Initial(UnsafeCell<[u8; INITIAL]>);

// SAFETY: this target has no threads (the module does not compile with atomics), and only `Source`
// hands the bytes out, once.
#[cfg(not(target_feature = "atomics"))]
unsafe impl Sync for Initial {}

static BYTES: Initial = Initial(UnsafeCell::new([0; INITIAL]));

/// First the initial memory, then pages behind all memory.
struct Source {
    taken: Cell<bool>,
}

// SAFETY: each region is given out once: the initial memory because of `taken`, the others because
// `memory.grow` makes them. Nothing is taken back.
unsafe impl Allocator for Source {
    fn alloc(&self, size: usize) -> (*mut u8, usize, u32) {
        if size <= INITIAL && !self.taken.replace(true) {
            return (BYTES.0.get().cast(), INITIAL, 0);
        }
        let pages = size.div_ceil(PAGE);
        let before = memory_grow(0, pages);
        // The last page of the address space is left alone, so that no region's end wraps around.
        match before.checked_mul(PAGE).filter(|_| before != usize::MAX) {
            Some(base) if base.checked_add(pages * PAGE).is_some() => {
                (ptr::with_exposed_provenance_mut(base), pages * PAGE, 0)
            }
            _ => (ptr::null_mut(), 0, 0),
        }
    }

    fn remap(&self, _: *mut u8, _: usize, _: usize, _: bool) -> *mut u8 {
        ptr::null_mut()
    }

    fn free_part(&self, _: *mut u8, _: usize, _: usize) -> bool {
        false
    }

    fn free(&self, _: *mut u8, _: usize) -> bool {
        false
    }

    fn can_release_part(&self, _: u32) -> bool {
        false
    }

    fn allocates_zeros(&self) -> bool {
        true
    }

    fn page_size(&self) -> usize {
        PAGE
    }
}

struct Heap(UnsafeCell<Dlmalloc<Source>>);

// SAFETY: as for `Initial`.
#[cfg(not(target_feature = "atomics"))]
unsafe impl Sync for Heap {}

// SAFETY: passed on as it is; without threads and without re-entrance the reference is the only one.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        unsafe { (*self.0.get()).malloc(layout.size(), layout.align()) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        unsafe { (*self.0.get()).calloc(layout.size(), layout.align()) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { (*self.0.get()).free(pointer, layout.size(), layout.align()) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        unsafe { (*self.0.get()).realloc(pointer, layout.size(), layout.align(), size) }
    }
}

#[global_allocator]
static HEAP: Heap =
    Heap(UnsafeCell::new(Dlmalloc::new_with_allocator(Source { taken: Cell::new(false) })));
