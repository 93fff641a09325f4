//! The `get-token` call that kubectl makes for a user of the kubeconfig.

use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;

use kubesso_k8s_types::kubeconfig::ExecConfig;
use kubesso_kubeconfig::{Kubeconfig, Locations, Selection};
use kubesso_token_cache::{GetTokenArguments, Surroundings};

use crate::arguments::Command;
use crate::command_line;
use crate::environment::Environment;
use crate::error::Error;

/// The call, and the environment that kubectl makes it in.
pub(crate) fn call(
    kubeconfig: Option<&Path>,
    context: Option<&str>,
    user: Option<&str>,
    environment: &Environment,
) -> Result<(GetTokenArguments, Surroundings), Error> {
    let kubeconfig = load(kubeconfig, environment)?;
    let user = kubeconfig.select_user(Selection { user, context })?;
    let wrong = |problem: String| Error::UserCall { user: user.name.clone(), problem };
    let exec = user.value.exec.as_ref().ok_or_else(|| wrong("has no credential plugin".to_owned()))?;
    of_exec(exec, environment).map_err(wrong)
}

/// The call of an entry, and the environment that kubectl makes it in; what is wrong with it, as words behind the user.
pub(crate) fn of_exec(
    exec: &ExecConfig,
    environment: &Environment,
) -> Result<(GetTokenArguments, Surroundings), String> {
    // The plugin may be called by kubectl, by kubesso or by itself: the command is where the flags begin.
    let words: Vec<_> = exec.args.iter().skip_while(|word| *word != "get-token").map(Into::into).collect();
    if words.is_empty() {
        return Err("has another credential plugin".to_owned());
    }
    let added = exec.env.iter().map(|variable| (variable.name.clone(), variable.value.clone()));
    let surroundings = with_variables(&environment.surroundings, added.collect());
    let inner = Environment { surroundings: surroundings.clone(), ..environment.clone() };
    match command_line::read(words, &inner).map_err(|problem| format!("calls it wrongly ({problem})"))? {
        Some(Command::GetToken(arguments)) => Ok((*arguments, surroundings)),
        _ => Err("has another credential plugin".to_owned()),
    }
}

/// The users of the kubeconfig that have a credential plugin.
pub(crate) fn names(environment: &Environment) -> Vec<String> {
    let Ok(kubeconfig) = load(None, environment) else { return Vec::new() };
    let users = kubeconfig.users().iter().filter(|user| user.value.exec.is_some());
    users.map(|user| user.name.clone()).collect()
}

fn load(file: Option<&Path>, environment: &Environment) -> Result<Kubeconfig, Error> {
    let variable = environment.variable("KUBECONFIG");
    let home = environment.surroundings.home.as_deref();
    Ok(Kubeconfig::load(&Locations::new(file, variable.as_deref().map(OsStr::new), home))?)
}

/// `surroundings` with variables on top.
fn with_variables(surroundings: &Surroundings, added: Vec<(String, String)>) -> Surroundings {
    let (variables, names) = (surroundings.variables.clone(), surroundings.variable_names.clone());
    let added = Arc::new(added);
    let more = added.clone();
    Surroundings {
        variables: Arc::new(move |name| {
            let set = added.iter().rev().find(|(added, _)| added == name).map(|(_, value)| value.clone());
            set.or_else(|| variables(name))
        }),
        variable_names: Arc::new(move || {
            let mut all = names();
            all.extend(more.iter().map(|(name, _)| name.clone()));
            all
        }),
        home: surroundings.home.clone(),
    }
}
