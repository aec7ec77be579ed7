//! The macros that export a plugin, and the wrappers through which its calls come in.

use std::marker::PhantomData;

use crate::kms::material::Secret;
use crate::kms::{Context, Error, KeyManagement, KeyReference, KeyRelease, KeySummary};
use crate::kms::{KeyVersions, NewKey, Released};
use crate::verifier::{Description, Rejection, Request, Verdict, Verifier};
use crate::{kms, panics, verifier};

/// Exports the type as the component's `verifier`.
#[macro_export]
macro_rules! register_verifier {
    ($plugin:ty) => {
        const _: () = {
            type Plugin = $crate::Registered<$plugin>;
            #[cfg(target_arch = "wasm32")]
            $crate::verifier::bindings::export_verifier!(
                Plugin with_types_in $crate::verifier::bindings
            );
            const fn implements<T: $crate::verifier::Verifier>() {}
            implements::<Plugin>();
        };
    };
}

/// Exports the type as the component's `key-release`; key management answers `unsupported`.
#[macro_export]
macro_rules! register_kms {
    ($plugin:ty) => {
        $crate::register_managed_kms!($crate::Unmanaged<$plugin>);
    };
}

/// Exports the type as the component's `key-release` and `key-management`; `key-versions` answers
/// `unsupported`.
#[macro_export]
macro_rules! register_managed_kms {
    ($plugin:ty) => {
        $crate::register_versioned_kms!($crate::Unversioned<$plugin>);
    };
}

/// Exports the type as the component's `key-release`, `key-management` and `key-versions`.
#[macro_export]
macro_rules! register_versioned_kms {
    ($plugin:ty) => {
        const _: () = {
            type Plugin = $crate::Registered<$plugin>;
            #[cfg(target_arch = "wasm32")]
    $crate::kms::bindings::export_kms!(Plugin with_types_in $crate::kms::bindings);
            const fn implements<
                T: $crate::kms::KeyRelease + $crate::kms::KeyManagement + $crate::kms::KeyVersions,
            >() {
            }
            implements::<Plugin>();
        };
    };
}

/// A plugin whose panics are reported: each export sets the hook, then calls the plugin.
#[doc(hidden)]
#[derive(Debug)]
pub struct Registered<T>(PhantomData<T>);

/// A connector that releases keys and leaves their management to its KMS.
#[doc(hidden)]
#[derive(Debug)]
pub struct Unmanaged<T>(PhantomData<T>);

/// A connector that manages keys, and takes no versions in.
#[doc(hidden)]
#[derive(Debug)]
pub struct Unversioned<T>(PhantomData<T>);

/// Implements `$interface` for [`Registered`] by setting the hook and calling the plugin.
macro_rules! reported {
    ($world:ident, $interface:ident {
        $(fn $name:ident($($argument:ident: $type:ty),*) -> $answer:ty;)*
    }) => {
        impl<T: $interface> $interface for Registered<T> {
            $(fn $name($($argument: $type),*) -> $answer {
                panics::report_to(|line| $world::log::write($world::log::Level::Error, line));
                T::$name($($argument),*)
            })*
        }
    };
}

reported!(verifier, Verifier {
    fn describe() -> Description;
    fn verify(request: Request) -> Result<Verdict, Rejection>;
});

reported!(kms, KeyVersions {
    fn add(name: String, key: Secret) -> Result<KeySummary, Error>;
    fn open(key: KeyReference) -> Result<Secret, Error>;
});

reported!(kms, KeyRelease {
    fn release(key: KeyReference, context: &Context) -> Result<Released, Error>;
    fn health() -> Result<(), Error>;
});

/// Hands `key-management` to the callback macro, so that its functions are listed once.
macro_rules! key_management {
    ($implement:ident) => {
        $implement!(kms, KeyManagement {
            fn create(key: NewKey) -> Result<KeySummary, Error>;
            fn rotate(name: String) -> Result<KeySummary, Error>;
            fn list(cursor: Option<String>) -> Result<(Vec<KeySummary>, Option<String>), Error>;
            fn versions(name: String) -> Result<Vec<KeySummary>, Error>;
            fn get(key: KeyReference) -> Result<KeySummary, Error>;
            fn set_enabled(key: KeyReference, enabled: bool) -> Result<KeySummary, Error>;
            fn delete(name: String) -> Result<(), Error>;
        });
    };
}

/// Implements `$interface` for [`Unmanaged`] by answering `unsupported`.
macro_rules! unsupported {
    ($world:ident, $interface:ident {
        $(fn $name:ident($($argument:ident: $type:ty),*) -> $answer:ty;)*
    }) => {
        impl<T> $interface for Unmanaged<T> {
            $(fn $name($(_: $type),*) -> $answer {
                Err(Error::Unsupported("this connector does not manage keys".into()))
            })*
        }
    };
}

/// Implements `$interface` for [`Unversioned`] by calling the plugin.
macro_rules! passed_on {
    ($world:ident, $interface:ident {
        $(fn $name:ident($($argument:ident: $type:ty),*) -> $answer:ty;)*
    }) => {
        impl<T: $interface> $interface for Unversioned<T> {
            $(fn $name($($argument: $type),*) -> $answer {
                T::$name($($argument),*)
            })*
        }
    };
}

key_management!(reported);
key_management!(passed_on);
key_management!(unsupported);

macro_rules! releases {
    ($($wrapper:ident),*) => {$(
        impl<T: KeyRelease> KeyRelease for $wrapper<T> {
            fn release(key: KeyReference, context: &Context) -> Result<Released, Error> {
                T::release(key, context)
            }

            fn health() -> Result<(), Error> {
                T::health()
            }
        }
    )*};
}

releases!(Unmanaged, Unversioned);

impl<T> KeyVersions for Unversioned<T> {
    fn add(_: String, _: Secret) -> Result<KeySummary, Error> {
        Err(Error::Unsupported("this connector takes no versions in".into()))
    }

    fn open(_: KeyReference) -> Result<Secret, Error> {
        Err(Error::Unsupported("this connector gives versions out by release only".into()))
    }
}
