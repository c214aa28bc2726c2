//! The binary `rota`.

fn main() -> std::process::ExitCode {
    rota_node::cli::main(std::env::args_os()).into()
}
