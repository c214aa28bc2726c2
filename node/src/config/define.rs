//! The macro behind the sections: fields, defaults and docs in one place.

/// Defines section structs and the [`super::Config`] that holds them.
macro_rules! config {
    ($(
        $(#[doc = $section_doc:literal])+
        $section:ident: $type:ident {
            $(
                $(#[doc = $doc:literal])+
                $field:ident: $value:ty = $default:expr,
            )+
        }
    )+) => {
        $(
            $(#[doc = $section_doc])+
            #[derive(Clone, Debug, PartialEq, Eq)]
            pub struct $type {
                $(
                    $(#[doc = $doc])+
                    pub $field: $value,
                )+
            }

            impl Default for $type {
                fn default() -> Self {
                    Self { $($field: $default,)+ }
                }
            }
        )+

        /// The whole configuration of a node.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct Config {
            $(
                $(#[doc = $section_doc])+
                pub $section: $type,
            )+
        }

        impl Config {
            /// Every key, as `section.key`.
            pub const KEYS: &'static [&'static str] =
                &[$($(concat!(stringify!($section), ".", stringify!($field)),)+)+];

            /// Names and docs of the sections, in order.
            pub const SECTIONS: &'static [(&'static str, &'static str)] =
                &[$((stringify!($section), concat!($($section_doc, "\n",)+)),)+];

            /// Sets one key from a TOML value. `None` if there is no such key.
            pub(super) fn set_toml(
                &mut self,
                key: &str,
                value: &toml::Value,
            ) -> Option<Result<(), &'static str>> {
                match key {
                    $($(
                        concat!(stringify!($section), ".", stringify!($field)) => {
                            Some(match <$value as super::Value>::from_toml(value) {
                                Some(value) => {
                                    self.$section.$field = value;
                                    Ok(())
                                }
                                None => Err(<$value as super::Value>::FORM),
                            })
                        }
                    )+)+
                    _ => None,
                }
            }

            /// Sets one key from text, as flags and the environment give it. `None` if there is no such key.
            pub(super) fn set_text(
                &mut self,
                key: &str,
                text: &str,
            ) -> Option<Result<(), &'static str>> {
                match key {
                    $($(
                        concat!(stringify!($section), ".", stringify!($field)) => {
                            Some(match <$value as super::Value>::from_text(text) {
                                Some(value) => {
                                    self.$section.$field = value;
                                    Ok(())
                                }
                                None => Err(<$value as super::Value>::FORM),
                            })
                        }
                    )+)+
                    _ => None,
                }
            }

            /// Every key with its docs and value, in order.
            #[must_use]
            pub fn entries(&self) -> Vec<super::Entry> {
                vec![$($(
                    super::Entry {
                        key: concat!(stringify!($section), ".", stringify!($field)).to_owned(),
                        doc: concat!($($doc, "\n",)+).to_owned(),
                        form: <$value as super::Value>::FORM,
                        value: super::Value::to_toml(&self.$section.$field),
                    },
                )+)+]
            }
        }
    };
}
pub(super) use config;
