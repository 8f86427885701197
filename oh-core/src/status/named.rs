//! Enums whose written names are part of the event format.

macro_rules! named {
    (
        $(#[$docs:meta])*
        pub enum $name:ident ($what:literal) {
            $($(#[$variant_docs:meta])* $variant:ident = $text:literal,)+
        }
    ) => {
        $(#[$docs])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, Hash, ::serde::Serialize, ::serde::Deserialize,
        )]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$variant_docs])* #[serde(rename = $text)] $variant,)+
        }

        impl $name {
            /// Every value, in the order of their declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The written name.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = $crate::error::Error;

            fn from_str(text: &str) -> ::std::result::Result<Self, Self::Err> {
                Self::ALL
                    .iter()
                    .copied()
                    .find(|value| value.as_str() == text)
                    .ok_or_else(|| {
                        let known: Vec<_> = Self::ALL.iter().map(|value| value.as_str()).collect();
                        $crate::error::Error::invalid(
                            concat!("parse ", $what),
                            format!("unknown name, known are {}", known.join(", ")),
                        )
                        .with_object(text.chars().take(160).collect::<String>())
                    })
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

pub(crate) use named;
