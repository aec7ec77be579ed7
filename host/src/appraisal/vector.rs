//! The trustworthiness vector and its status (draft-ietf-rats-ar4si, sections 2.3 and 3.2).

use serde::{Serialize, Serializer};

use crate::plugin::Trustworthiness;

/// The eight claims of AR4SI.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Trust {
    /// Settings of the attester.
    Configuration,
    /// What runs.
    Executables,
    /// What is on its disks.
    FileSystem,
    /// The hardware and its firmware.
    Hardware,
    /// Which attester it is.
    InstanceIdentity,
    /// Whether memory is hidden from others.
    RuntimeOpaque,
    /// Data from elsewhere that it uses.
    SourcedData,
    /// Whether storage is hidden from others.
    StorageOpaque,
}

impl Trust {
    /// In the order of the draft.
    pub const ALL: [Self; 8] = [
        Self::InstanceIdentity,
        Self::Configuration,
        Self::Executables,
        Self::FileSystem,
        Self::Hardware,
        Self::RuntimeOpaque,
        Self::StorageOpaque,
        Self::SourcedData,
    ];

    /// The name in a result.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Executables => "executables",
            Self::FileSystem => "file-system",
            Self::Hardware => "hardware",
            Self::InstanceIdentity => "instance-identity",
            Self::RuntimeOpaque => "runtime-opaque",
            Self::SourcedData => "sourced-data",
            Self::StorageOpaque => "storage-opaque",
        }
    }

    fn index(self) -> usize {
        Self::ALL.iter().position(|trust| *trust == self).unwrap_or_default()
    }
}

/// The tier of a value, or of a whole appraisal; the later, the worse.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Status {
    /// Affirming: 2 to 31, and -2 to -32.
    Affirming,
    /// None: -1, 0 and 1. Nothing is known, and unknown is no.
    None,
    /// Warning: 32 to 95, and -33 to -96.
    Warning,
    /// Contraindicated: 96 to 127, and -97 to -128.
    Contraindicated,
}

impl Status {
    /// The tier of one value.
    #[must_use]
    pub fn of(value: i8) -> Self {
        match value {
            -1..=1 => Self::None,
            2..=31 | -32..=-2 => Self::Affirming,
            32..=95 | -96..=-33 => Self::Warning,
            96..=127 | -128..=-97 => Self::Contraindicated,
        }
    }

    /// By its name in a result.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let all = [Self::Affirming, Self::None, Self::Warning, Self::Contraindicated];
        all.into_iter().find(|status| status.name() == name)
    }

    /// The name in a result.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Affirming => "affirming",
            Self::Contraindicated => "contraindicated",
            Self::None => "none",
            Self::Warning => "warning",
        }
    }
}

impl Serialize for Status {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// Values by claim; a claim without a value says nothing.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Vector([Option<i8>; 8]);

impl Vector {
    /// What a plugin says. None where it uses a value that it may not: -1 to 1 speak of a verifier
    /// that failed, and a verifier that failed has to refuse.
    #[must_use]
    pub fn from_plugin(said: &Trustworthiness) -> Option<Self> {
        let values = [
            said.instance_identity,
            said.configuration,
            said.executables,
            said.file_system,
            said.hardware,
            said.runtime_opaque,
            said.storage_opaque,
            said.sourced_data,
        ];
        let known = |value: &Option<i8>| value.is_none_or(|v| Status::of(v) != Status::None);
        values.iter().all(known).then_some(Self(values))
    }

    /// Sets a value that a result of this host says; whether there was none.
    pub(crate) fn set(&mut self, trust: Trust, value: i8) -> bool {
        self.slot(trust).is_some_and(|slot| slot.replace(value).is_none())
    }

    /// The value of a claim.
    #[must_use]
    pub fn value(&self, trust: Trust) -> Option<i8> {
        self.0.get(trust.index()).copied().flatten()
    }

    /// Sets a value, unless what stands there is worse already.
    pub fn lower(&mut self, trust: Trust, value: i8) {
        if let Some(slot) = self.slot(trust)
            && slot.is_none_or(|old| Status::of(old) <= Status::of(value))
        {
            *slot = Some(value);
        }
    }

    /// Takes an affirming value away: a plugin's word for what nothing native supports. Where it
    /// warns, it stands.
    pub fn unsupported(&mut self, trust: Trust) {
        if let Some(slot) = self.slot(trust)
            && slot.is_some_and(|value| Status::of(value) == Status::Affirming)
        {
            *slot = None;
        }
    }

    /// Sets a value where there is none.
    pub fn affirm_where_silent(&mut self, trust: Trust, value: i8) {
        if let Some(slot @ None) = self.slot(trust) {
            *slot = Some(value);
        }
    }

    /// The worst claim decides; a vector without a claim says nothing.
    #[must_use]
    pub fn status(&self) -> Status {
        let tiers = self.0.iter().flatten().map(|value| Status::of(*value));
        tiers.max().unwrap_or(Status::None)
    }

    fn slot(&mut self, trust: Trust) -> Option<&mut Option<i8>> {
        self.0.get_mut(trust.index())
    }
}

impl Serialize for Vector {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let said = Trust::ALL.into_iter().filter_map(|trust| {
            let value = self.value(trust)?;
            Some((trust.name(), value))
        });
        serializer.collect_map(said)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiers_have_the_boundaries_of_ar4si() {
        let expected = [
            (-128, Status::Contraindicated),
            (-97, Status::Contraindicated),
            (-96, Status::Warning),
            (-33, Status::Warning),
            (-32, Status::Affirming),
            (-2, Status::Affirming),
            (-1, Status::None),
            (0, Status::None),
            (1, Status::None),
            (2, Status::Affirming),
            (31, Status::Affirming),
            (32, Status::Warning),
            (95, Status::Warning),
            (96, Status::Contraindicated),
            (127, Status::Contraindicated),
        ];
        for (value, status) in expected {
            assert_eq!(Status::of(value), status, "{value}");
        }
    }

    #[test]
    fn the_worst_claim_decides_and_nothing_is_raised() {
        let mut vector = Vector::default();
        assert_eq!(vector.status(), Status::None);
        vector.affirm_where_silent(Trust::Hardware, 2);
        assert_eq!(vector.status(), Status::Affirming);
        vector.lower(Trust::Hardware, 96);
        vector.lower(Trust::Hardware, 32);
        vector.affirm_where_silent(Trust::Hardware, 2);
        vector.affirm_where_silent(Trust::Executables, 3);
        assert_eq!(vector.value(Trust::Hardware), Some(96));
        assert_eq!(vector.status(), Status::Contraindicated);
    }

    // attack 47
    #[test]
    fn a_plugin_may_not_say_that_it_failed_and_be_believed() {
        for value in [-1, 0, 1] {
            let said = Trustworthiness { hardware: Some(value), ..Trustworthiness::default() };
            assert_eq!(Vector::from_plugin(&said), None);
        }
    }

    // invariant 1
    #[test]
    fn what_nothing_supports_is_not_affirmed_but_a_warning_stands() {
        let mut vector = Vector::default();
        vector.lower(Trust::FileSystem, 2);
        vector.lower(Trust::SourcedData, 96);
        vector.unsupported(Trust::FileSystem);
        vector.unsupported(Trust::SourcedData);
        vector.unsupported(Trust::StorageOpaque);
        assert_eq!(vector.value(Trust::FileSystem), None);
        assert_eq!(vector.value(Trust::SourcedData), Some(96));
        assert_eq!(vector.value(Trust::StorageOpaque), None);
    }

    #[test]
    fn a_vector_is_written_by_name() {
        let mut vector = Vector::default();
        vector.lower(Trust::Hardware, 32);
        vector.affirm_where_silent(Trust::FileSystem, 2);
        let json = serde_json::to_value(&vector).unwrap();
        assert_eq!(json, serde_json::json!({ "hardware": 32, "file-system": 2 }));
    }
}
