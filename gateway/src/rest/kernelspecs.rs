//! `/api/kernelspecs`: one kernelspec, `python3`.

use actix_web::{HttpResponse, web};
use serde_json::{Value, json};

use crate::app::App;
use crate::error::Error;
use crate::options::Options;

pub(super) const DEFAULT: &str = "python3";

pub(super) async fn list(app: web::Data<App>) -> HttpResponse {
    HttpResponse::Ok().json(json!({"default": DEFAULT, "kernelspecs": {DEFAULT: model(&app.options)}}))
}

pub(super) async fn get(path: web::Path<String>, app: web::Data<App>) -> Result<HttpResponse, Error> {
    known(&path)?;
    Ok(HttpResponse::Ok().json(model(&app.options)))
}

/// There are no logos; clients cope with a 404.
pub(super) async fn resource(path: web::Path<(String, String)>) -> Result<HttpResponse, Error> {
    let (name, file) = path.into_inner();
    known(&name)?;
    Err(Error::NoSuchPage(format!("kernelspecs/{name}/{file}")))
}

pub(super) fn known(name: &str) -> Result<(), Error> {
    if name == DEFAULT {
        Ok(())
    } else {
        Err(Error::NoSuchKernelSpec(name.to_owned()))
    }
}

/// JupyterLab drops a spec without `argv`, `display_name` or `language`.
fn model(options: &Options) -> Value {
    json!({
        "name": DEFAULT,
        "spec": {
            "argv": options.kernel_argv,
            "display_name": "Python 3 (nbos)",
            "language": "python",
            "interrupt_mode": "signal",
            "env": {},
            "metadata": {"debugger": false},
        },
        "resources": {},
    })
}
