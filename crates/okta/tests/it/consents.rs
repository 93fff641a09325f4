//! What people have allowed applications.

use kubesso_ambient::Clock as _;
use kubesso_directory::{
    Application, ApplicationId, AuthorizationServer, AuthorizationServerId, Change, ConsentGrant, ConsentId,
    Label, Scope, User,
};

use crate::house::Org;

/// An application, and a person who has allowed it two scopes.
async fn given(org: &Org) -> (User, Application, Vec<Scope>) {
    let person = org.user("ada@example.com").await;
    let id = ApplicationId::generate(&*org.entropy);
    let application = Application::native(id, Label::parse("theirs").unwrap(), Vec::new(), org.now());
    let server = AuthorizationServerId::generate(&*org.entropy);
    let made = AuthorizationServer::new(server.clone(), Label::parse("k8s").unwrap(), Vec::new(), org.now());
    let scopes: Vec<_> = Scope::system(&server, &*org.entropy).into_iter().take(2).collect();
    let mut changes = vec![Change::PutApplication(application.clone()), Change::PutAuthorizationServer(made)];
    changes.extend(scopes.iter().cloned().map(Change::PutScope));
    changes.extend(scopes.iter().map(|scope| {
        Change::GiveConsent(ConsentGrant {
            id: ConsentId::generate(&*org.entropy),
            user: person.id.clone(),
            application: application.id.clone(),
            scope: scope.id.clone(),
            server: server.clone(),
            scope_name: scope.name.clone(),
            created: org.clock.now(),
        })
    }));
    org.commit(changes).await;
    (person, application, scopes)
}

#[tokio::test]
async fn they_are_listed_by_person_and_client_and_withdrawn_one_by_one_or_all() {
    let org = Org::new().await;
    let (person, application, scopes) = given(&org).await;
    let all = format!("/api/v1/users/{}/grants", person.id);
    let of_client = format!("/api/v1/users/{}/clients/{}/grants", person.id, application.client_id);

    let listed = org.get(&all).await.expect(200);
    assert_eq!(listed.as_array().unwrap().len(), 2);
    assert_eq!(org.get(&of_client).await.expect(200), listed);
    let first = &listed[0];
    assert_eq!(
        (&first["status"], &first["source"], &first["userId"], &first["clientId"]),
        (
            &"ACTIVE".into(),
            &"END_USER".into(),
            &person.id.as_str().into(),
            &application.client_id.as_str().into()
        )
    );
    let by_scope = org.get(&format!("{all}?scopeId={}", scopes[0].id)).await.expect(200);
    assert_eq!(by_scope.as_array().unwrap().len(), 1);
    let clients = org.get(&format!("/api/v1/users/{}/clients", person.id)).await.expect(200);
    assert_eq!(clients[0]["client_id"], application.client_id.as_str());

    let page = org.get(&format!("{all}?limit=1")).await;
    assert_eq!(page.links("next").len(), 1);

    let one = format!("{all}/{}", first["id"].as_str().unwrap());
    assert_eq!(org.get(&one).await.expect(200), *first);
    org.delete(&one).await.expect(204);
    org.get(&one).await.refused(404, "E0000007", "");
    let (event, _) = org.audit().await.pop().unwrap();
    assert_eq!(event, "app.oauth2.as.consent.revoke");
    org.delete(&of_client).await.expect(204);
    assert_eq!(org.get(&all).await.expect(200).as_array().unwrap().len(), 0);
    org.delete(&all).await.expect(204);
}

#[tokio::test]
async fn somebody_else_s_consent_and_unknown_clients_are_not_found() {
    let org = Org::new().await;
    let (person, _, _) = given(&org).await;
    let other = org.user("bob@example.com").await;
    let grant = &org.store.consents(&person.id, None).await.unwrap()[0].id;
    org.delete(&format!("/api/v1/users/{}/grants/{grant}", other.id)).await.refused(404, "E0000007", "");
    org.get(&format!("/api/v1/users/{}/clients/nobody/grants", person.id)).await.refused(404, "E0000007", "");
    assert_eq!(org.store.consents(&person.id, None).await.unwrap().len(), 2);
}
