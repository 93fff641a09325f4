//! What a cluster's distribution needs, as files in a folder: those of `kubesso cluster config`, the steps, and the grants
//! where nobody may apply them from here.

use std::fmt::Write as _;

use kubesso_clusters::{
    Access, AccessError, CertificateAuthority, Impossible, Instructions, IssuerEntry, IssuerUrl, Step,
    TrustedIssuer,
};
use serde_json::Value;

use crate::file::{AccessFile, ClusterSection};
use crate::grants::WantedObject;
use crate::marker::Owner;
use crate::provider::Made;
use crate::resource::{Address, Field, FieldValue, Found, Kind, Wanted};

/// Stands for an issuer and a client that are not made yet: what is possible is known without them.
pub(crate) const NOT_YET: &str = "known-after-apply";

/// Why a cluster's files cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClusterError {
    /// What the file says about issuers.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// The distribution cannot do it.
    #[error("the cluster `{name}`: {impossible}:{}", reasons(.impossible))]
    Impossible {
        /// Which.
        name: String,
        /// Why.
        impossible: Impossible,
    },
}

fn reasons(impossible: &Impossible) -> String {
    impossible.restrictions.iter().fold(String::new(), |mut text, one| {
        // Writing to a String cannot fail.
        let _ = write!(text, "\n  - {} (says {}); instead: {}", one.what, one.source, one.instead);
        text
    })
}

/// Whom the clusters trust, and whether that is known already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WhomToTrust {
    /// The description.
    pub access: Access,
    /// False if the provider has yet to make it.
    pub is_known: bool,
}

impl AccessFile {
    /// Whom the clusters trust; nothing if the file does not say it. `authority` is the provider's, `file` reads others.
    ///
    /// # Errors
    /// The section `issuers` is no good.
    pub fn whom_to_trust(
        &self,
        made: &Made,
        authority: Option<&str>,
        file: impl Fn(&str) -> Result<String, String>,
    ) -> Result<Option<WhomToTrust>, AccessError> {
        let is_of_provider = self.has_issuer_of_provider();
        let entries = match &self.issuers {
            Some(entries) => entries.clone(),
            None if is_of_provider => vec![IssuerEntry::of_provider()],
            None => return Ok(None),
        };
        let needs_provider = entries.iter().any(IssuerEntry::is_of_provider);
        let provider = is_of_provider.then(|| self.issuer_of_provider(made, authority)).transpose()?;
        let access = Access::from_entries(entries, self.anonymous.clone(), provider.as_ref(), file)?;
        let is_known = !needs_provider || (made.issuer.is_some() && made.client_id.is_some());
        Ok(Some(WhomToTrust { access, is_known }))
    }

    fn issuer_of_provider(&self, made: &Made, authority: Option<&str>) -> Result<TrustedIssuer, AccessError> {
        let wrong = |what| AccessError { at: "provider".to_owned(), what };
        let base =
            self.provider.as_ref().map(|provider| provider.url.as_str().trim_end_matches('/').to_owned());
        let not_yet = || format!("{}/oauth2/{NOT_YET}", base.unwrap_or_default());
        let url = IssuerUrl::parse(&made.issuer.clone().unwrap_or_else(not_yet)).map_err(wrong)?;
        let client_id = made.client_id.clone().unwrap_or_else(|| NOT_YET.to_owned());
        let mut issuer = TrustedIssuer::new(url, vec![client_id]);
        if let Some(pem) = authority {
            issuer.certificate_authority = Some(CertificateAuthority::parse(pem).map_err(wrong)?);
        }
        Ok(issuer)
    }
}

impl ClusterSection {
    /// The files of this cluster: their names, and their texts as far as they are known. One that is changed from here needs
    /// none for its distribution.
    ///
    /// # Errors
    /// The distribution cannot do what is described.
    pub fn files(
        &self,
        trust: Option<&WhomToTrust>,
        grants: &[WantedObject],
    ) -> Result<Vec<Wanted>, ClusterError> {
        let mut files = Vec::new();
        let target = self.target().filter(|_| self.apply.is_none());
        if let (Some(target), Some(trust)) = (target, trust) {
            let made = target
                .instructions(&self.request(&trust.access, None))
                .map_err(|impossible| ClusterError::Impossible { name: self.name.clone(), impossible })?;
            let text = |text: String| {
                if trust.is_known { FieldValue::Known(text.into()) } else { FieldValue::AfterApply }
            };
            let steps = steps(&made);
            for file in made.files {
                files.push((file.name, text(file.content)));
            }
            files.push(("STEPS.txt".to_owned(), text(steps)));
        }
        if self.context.is_none() && !grants.is_empty() {
            let documents = grants.iter().map(|grant| manifest(&grant.object));
            let text = documents.collect::<Vec<_>>().join("---\n");
            files.push(("rbac.yaml".to_owned(), FieldValue::Known(text.into())));
        }
        let within = vec![self.name.clone()];
        let files = files.into_iter().map(|(name, value)| Wanted {
            address: Address { kind: Kind::File, name, within: within.clone() },
            fields: vec![Field { name: "content", value }],
        });
        Ok(files.collect())
    }
}

/// A file that is there.
pub fn found_file(wanted: &Wanted, path: &str, content: String) -> Found {
    let value = FieldValue::Known(content.into());
    // What says something else may be somebody's: it is shown before it is replaced, and never removed.
    let owner = if wanted.field("content") == Some(&value) { Owner::Ours } else { Owner::Somebody };
    Found {
        address: wanted.address.clone(),
        fields: vec![Field { name: "content", value }],
        owner,
        protected: None,
        path: path.to_owned(),
        raw: Value::Null,
    }
}

fn manifest(object: &Value) -> String {
    let options = serde_saphyr::ser_options! { min_fold_chars: usize::MAX };
    serde_saphyr::to_string_with_options(object, options).unwrap_or_default()
}

/// What is to be done with the files, as people read it.
fn steps(made: &Instructions) -> String {
    let mut text = format!("For {}\n", made.target);
    // Writing to a String cannot fail.
    for warning in &made.warnings {
        let _ = writeln!(text, "\nNOTE  {warning}");
    }
    text.push_str("\nFILES\n");
    for file in &made.files {
        let verb = if file.is_part { "merge into" } else { "put at" };
        let _ = writeln!(text, "  {}\n     {verb}: {}", file.name, file.place);
    }
    for (heading, steps) in [("APPLY", &made.apply), ("VERIFY", &made.verify), ("ROLL BACK", &made.rollback)]
    {
        let _ = writeln!(text, "\n{heading}");
        for (index, Step { what, command }) in steps.iter().enumerate() {
            let _ = writeln!(text, "  {}. {what}", index + 1);
            if let Some(command) = command {
                let _ = writeln!(text, "     $ {command}");
            }
        }
    }
    text
}
