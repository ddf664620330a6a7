//! The cases by path, and all of them in order.

macro_rules! index {
    (
        ()
        $($area:ident { $($name:ident [$($rule:literal)*] $($need:ident)*;)* })*
    ) => {
        /// The cases by path, so that a name that is not a case does not compile.
        #[allow(
            non_upper_case_globals,
            missing_docs,
            reason = "a case has one name, that of its function"
        )]
        pub mod index {
            $(
                pub mod $area {
                    $(
                        pub static $name: $crate::Case = $crate::Case {
                            area: stringify!($area),
                            name: stringify!($name),
                            rules: &[$($rule),*],
                            needs: &[$(stringify!($need)),*],
                            body: |cx| Box::pin($crate::cases::$area::$name(cx)),
                        };
                    )*
                }
            )*

            /// What a backend may lack.
            pub mod lacks {
                pub const probe: () = ();
                pub const transaction: () = ();
                $(pub const $area: () = ();)*
            }
        }

        static CASES: &[&crate::Case] = &[$($(&index::$area::$name),*),*];
    };
}

crate::__for_each_case! { (index) () }

/// Every case, by area.
pub fn cases() -> &'static [&'static crate::Case] {
    CASES
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::cases;

    #[test]
    fn every_case_names_a_rule_and_no_case_is_listed_twice() {
        let mut paths = BTreeSet::new();
        for case in cases() {
            assert!(!case.rules.is_empty(), "{} proves no rule", case.path());
            assert!(paths.insert(case.path()), "{} is listed twice", case.path());
        }
    }

    #[test]
    fn every_rule_of_these_areas_has_a_case() {
        let proved: BTreeSet<&str> = cases().iter().flat_map(|case| case.rules).copied().collect();
        let numbered = [
            ("EXEC", 5),
            ("CLAIM", 6),
            ("LEASE", 3),
            ("FIN", 7),
            ("TIME", 8),
            ("OP", 7),
            ("FLOW", 9),
            ("WORK", 5),
            ("SAFE", 7),
        ];
        let mut rules: Vec<String> = numbered
            .iter()
            .flat_map(|(area, last)| (1..=*last).map(move |number| format!("{area}-{number}")))
            .collect();
        rules.extend(["STATE-1", "READ-1", "EVT-1"].map(str::to_owned));
        let missing: Vec<_> = rules.iter().filter(|rule| !proved.contains(rule.as_str())).collect();
        assert!(missing.is_empty(), "no case proves {missing:?}");
    }
}
