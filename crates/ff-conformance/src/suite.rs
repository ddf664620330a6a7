//! `suite!`: the list of cases as `#[test]` functions.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tokio::runtime::{Builder, Runtime};

use crate::case::Case;
use crate::fixture::Fixture;

/// Makes one `#[test]` of each case, in a module for each area.
///
/// `suite!(FIXTURE)`, and after it, if need be, `without { WHAT, .. }` and
/// `skip { AREA::CASE: "REASON", .. }`, in this order. The fixture is an expression that every case
/// evaluates. See the [crate's own page](crate).
///
/// A name that is not a case, and an area that has none, do not compile:
///
/// ```compile_fail
/// use ff_conformance::reference::ReferenceFixture;
///
/// ff_conformance::suite!(ReferenceFixture, skip { claim::no_such_case: "it is not there" });
/// ```
///
/// ```compile_fail
/// use ff_conformance::reference::ReferenceFixture;
///
/// ff_conformance::suite!(ReferenceFixture, without { weather });
/// ```
#[macro_export]
macro_rules! suite {
    ($fixture:expr $(,)?) => {
        $crate::suite!($fixture, without {}, skip {});
    };
    ($fixture:expr, without { $($lack:ident),* $(,)? } $(,)?) => {
        $crate::suite!($fixture, without { $($lack),* }, skip {});
    };
    ($fixture:expr, skip { $($skip:tt)* } $(,)?) => {
        $crate::suite!($fixture, without {}, skip { $($skip)* });
    };
    (
        $fixture:expr,
        without { $($lack:ident),* $(,)? },
        skip { $($area:ident :: $name:ident : $reason:literal),* $(,)? } $(,)?
    ) => {
        $(const _: &$crate::Case = &$crate::private::index::$area::$name;)*
        $(const _: () = $crate::private::index::lacks::$lack;)*
        $crate::__define_case_macro! { ($) $fixture, [$($lack)*] [$(($area $name $reason))*] }
        $crate::__for_each_case! { ($crate::__area_modules) (__ff_conformance_case) }
    };
}

/// Defines the macro that makes a test of one case. Its arms stand in the order in which they win:
/// skipped cases, then what the backend lacks, then every other case. `$d` is a dollar sign.
#[doc(hidden)]
#[macro_export]
macro_rules! __define_case_macro {
    (($d:tt) $fixture:expr, [$($lack:ident)*] [$(($area:ident $name:ident $reason:literal))*]) => {
        macro_rules! __ff_conformance_case {
            $(
                ($area $name $d($d need:ident)*) => {
                    #[test]
                    #[ignore = $reason]
                    fn $name() {
                        $crate::private::run_skipped_case(
                            &$fixture,
                            &$crate::private::index::$area::$name,
                        );
                    }
                };
            )*
            $(
                ($lack $d name:ident $d($d need:ident)*) => {
                    $crate::__lacking! { $lack $fixture, $lack $d name }
                };
                ($d area:ident $d name:ident $lack $d($d need:ident)*) => {
                    $crate::__lacking! { $lack $fixture, $d area $d name }
                };
                ($d area:ident $d name:ident $d first:ident $lack $d($d need:ident)*) => {
                    $crate::__lacking! { $lack $fixture, $d area $d name }
                };
                ($d area:ident $d name:ident $d first:ident $d second:ident $lack) => {
                    $crate::__lacking! { $lack $fixture, $d area $d name }
                };
            )*
            ($d area:ident $d name:ident $d($d need:ident)*) => {
                #[test]
                fn $d name() {
                    $crate::private::run_case(
                        &$fixture,
                        &$crate::private::index::$d area::$d name,
                    );
                }
            };
        }
    };
}

/// The test of a case that needs what the backend lacks.
#[doc(hidden)]
#[macro_export]
macro_rules! __lacking {
    (probe $($case:tt)*) => { $crate::__ignored! { "no probe", $($case)* } };
    (transaction $($case:tt)*) => { $crate::__ignored! { "no transactions", $($case)* } };
    (execution $($case:tt)*) => { $crate::__ignored! { "unavailable: execution", $($case)* } };
    (claim $($case:tt)*) => { $crate::__ignored! { "unavailable: claim", $($case)* } };
    (lease $($case:tt)*) => { $crate::__ignored! { "unavailable: lease", $($case)* } };
    (timer $($case:tt)*) => { $crate::__ignored! { "unavailable: timer", $($case)* } };
    (operator $($case:tt)*) => { $crate::__ignored! { "unavailable: operator", $($case)* } };
    (flow $($case:tt)*) => { $crate::__ignored! { "unavailable: flow", $($case)* } };
    (worker $($case:tt)*) => { $crate::__ignored! { "unavailable: worker", $($case)* } };
    (event $($case:tt)*) => { $crate::__ignored! { "unavailable: event", $($case)* } };
    (admin $($case:tt)*) => { $crate::__ignored! { "unavailable: admin", $($case)* } };
}

/// A test that is ignored, with its reason.
#[doc(hidden)]
#[macro_export]
macro_rules! __ignored {
    ($reason:literal, $fixture:expr, $area:ident $name:ident) => {
        #[test]
        #[ignore = $reason]
        fn $name() {
            $crate::private::run_skipped_case(&$fixture, &$crate::private::index::$area::$name);
        }
    };
}

/// A module for each area of the list, with what the given macro makes of each case.
#[doc(hidden)]
#[macro_export]
macro_rules! __area_modules {
    (
        ($case_macro:ident)
        $($area:ident { $($name:ident [$($rule:literal)*] $($need:ident)*;)* })*
    ) => {
        $(
            mod $area {
                #[allow(unused_imports, reason = "a fixture may be named by its full path")]
                use super::*;

                $($case_macro! { $area $name $($need)* })*
            }
        )*
    };
}

/// Runs one case; a panic is its failure.
pub fn run_case(fixture: &dyn Fixture, case: &Case) {
    runtime().block_on(case.run(fixture));
}

/// Runs one case that is not expected to pass. With `FF_CHECK_SKIPS=1`, passing is its failure.
///
/// # Panics
/// When the case passes under `FF_CHECK_SKIPS=1`, and when it fails otherwise.
pub fn run_skipped_case(fixture: &dyn Fixture, case: &Case) {
    if std::env::var_os("FF_CHECK_SKIPS").is_none_or(|value| value != "1") {
        return run_case(fixture, case);
    }
    let outcome = catch_unwind(AssertUnwindSafe(|| run_case(fixture, case)));
    assert!(outcome.is_err(), "{} is skipped and passes: take it off the list", case.path());
}

/// A case may have tasks of its own, and they shall run beside each other.
#[expect(clippy::expect_used, reason = "without a runtime no case can run")]
pub(crate) fn runtime() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime of two threads")
}
