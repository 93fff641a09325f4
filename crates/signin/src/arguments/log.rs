//! Flags about what is told of the work: those of klog, which kubelogin takes on every command.

use clap::Args;
use kubesso_token_cache::parse_bool;

/// What is told on standard error. Only `-v` has an effect; the others are taken because command lines have them.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Log")]
pub struct LogArguments {
    /// Say more on standard error: 1 what is done and the claims, 2 requests too; secrets never
    #[arg(short = 'v', long = "v", value_name = "LEVEL", default_value_t = 0, global = true)]
    pub verbosity: u8,
    #[arg(long = "vmodule", hide = true, global = true)]
    vmodule: Option<String>,
    #[arg(long = "logtostderr", hide = true, global = true, num_args = 0..=1, require_equals = true,
          default_missing_value = "true", default_value = "true", value_parser = parse_bool)]
    logtostderr: bool,
    #[arg(long = "alsologtostderr", hide = true, global = true, num_args = 0..=1, require_equals = true,
          default_missing_value = "true", default_value = "false", value_parser = parse_bool)]
    alsologtostderr: bool,
    #[arg(long = "alsologtostderrthreshold", hide = true, global = true)]
    alsologtostderrthreshold: Option<String>,
    #[arg(long = "legacy_stderr_threshold_behavior", hide = true, global = true, num_args = 0..=1,
          require_equals = true, default_missing_value = "true", default_value = "false", value_parser = parse_bool)]
    legacy_stderr_threshold_behavior: bool,
    #[arg(long = "stderrthreshold", hide = true, global = true)]
    stderrthreshold: Option<String>,
    #[arg(long = "log_dir", hide = true, global = true)]
    log_dir: Option<String>,
    #[arg(long = "log_file", hide = true, global = true)]
    log_file: Option<String>,
    #[arg(long = "log_file_max_size", hide = true, global = true)]
    log_file_max_size: Option<u64>,
    #[arg(long = "log_backtrace_at", hide = true, global = true)]
    log_backtrace_at: Option<String>,
    #[arg(long = "add_dir_header", hide = true, global = true, num_args = 0..=1, require_equals = true,
          default_missing_value = "true", default_value = "false", value_parser = parse_bool)]
    add_dir_header: bool,
    #[arg(long = "skip_headers", hide = true, global = true, num_args = 0..=1, require_equals = true,
          default_missing_value = "true", default_value = "false", value_parser = parse_bool)]
    skip_headers: bool,
    #[arg(long = "skip_log_headers", hide = true, global = true, num_args = 0..=1, require_equals = true,
          default_missing_value = "true", default_value = "false", value_parser = parse_bool)]
    skip_log_headers: bool,
    #[arg(long = "one_output", hide = true, global = true, num_args = 0..=1, require_equals = true,
          default_missing_value = "true", default_value = "false", value_parser = parse_bool)]
    one_output: bool,
}

impl LogArguments {
    /// The flags that ask for what is not done here. Those that are about the headers of klog's lines, or about what is
    /// the case anyhow, are not missed.
    pub(crate) fn without_effect(&self) -> Vec<&'static str> {
        let given = |text: &Option<String>| text.as_deref().is_some_and(|text| !text.is_empty());
        let flags = [
            ("--vmodule", given(&self.vmodule)),
            ("--logtostderr=false", !self.logtostderr),
            ("--log_dir", given(&self.log_dir)),
            ("--log_file", given(&self.log_file)),
            ("--log_backtrace_at", given(&self.log_backtrace_at)),
        ];
        flags.into_iter().filter_map(|(flag, asked)| asked.then_some(flag)).collect()
    }
}
