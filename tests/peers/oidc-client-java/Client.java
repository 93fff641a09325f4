import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.util.DefaultResourceRetriever;
import com.nimbusds.oauth2.sdk.AuthorizationCode;
import com.nimbusds.oauth2.sdk.AuthorizationCodeGrant;
import com.nimbusds.oauth2.sdk.AuthorizationGrant;
import com.nimbusds.oauth2.sdk.AuthorizationResponse;
import com.nimbusds.oauth2.sdk.ClientCredentialsGrant;
import com.nimbusds.oauth2.sdk.RefreshTokenGrant;
import com.nimbusds.oauth2.sdk.ResponseType;
import com.nimbusds.oauth2.sdk.Scope;
import com.nimbusds.oauth2.sdk.TokenErrorResponse;
import com.nimbusds.oauth2.sdk.TokenIntrospectionRequest;
import com.nimbusds.oauth2.sdk.TokenIntrospectionResponse;
import com.nimbusds.oauth2.sdk.TokenRequest;
import com.nimbusds.oauth2.sdk.TokenResponse;
import com.nimbusds.oauth2.sdk.TokenRevocationRequest;
import com.nimbusds.oauth2.sdk.auth.ClientAuthentication;
import com.nimbusds.oauth2.sdk.auth.ClientSecretBasic;
import com.nimbusds.oauth2.sdk.auth.Secret;
import com.nimbusds.oauth2.sdk.http.HTTPResponse;
import com.nimbusds.oauth2.sdk.id.ClientID;
import com.nimbusds.oauth2.sdk.id.Issuer;
import com.nimbusds.oauth2.sdk.id.State;
import com.nimbusds.oauth2.sdk.pkce.CodeChallengeMethod;
import com.nimbusds.oauth2.sdk.pkce.CodeVerifier;
import com.nimbusds.oauth2.sdk.token.AccessToken;
import com.nimbusds.oauth2.sdk.token.RefreshToken;
import com.nimbusds.openid.connect.sdk.AuthenticationRequest;
import com.nimbusds.openid.connect.sdk.Nonce;
import com.nimbusds.openid.connect.sdk.OIDCTokenResponse;
import com.nimbusds.openid.connect.sdk.OIDCTokenResponseParser;
import com.nimbusds.openid.connect.sdk.UserInfoRequest;
import com.nimbusds.openid.connect.sdk.UserInfoResponse;
import com.nimbusds.openid.connect.sdk.op.OIDCProviderMetadata;
import com.nimbusds.openid.connect.sdk.token.OIDCTokens;
import com.nimbusds.openid.connect.sdk.validators.IDTokenValidator;
import java.io.BufferedReader;
import java.io.FileInputStream;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.Map;
import net.minidev.json.JSONObject;

/**
 * Signs somebody in with Nimbus' SDK, as an application would.
 *
 * <p>ISSUER, CLIENT_ID, REDIRECT_URI and SCOPE come from the environment. It prints {"authorize": URL} and waits for one
 * line: the address that the browser came back to. Then it redeems the code, checks the ID token, asks userinfo, refreshes
 * and revokes, and prints what it has got. With `client-credentials`, CLIENT_SECRET gets a token for itself.
 */
public final class Client {
    private final OIDCProviderMetadata provider;
    private final ClientID id = new ClientID(System.getenv("CLIENT_ID"));
    private final Scope scope = Scope.parse(System.getenv("SCOPE"));

    private Client() throws Exception {
        provider = OIDCProviderMetadata.resolve(new Issuer(System.getenv("ISSUER")));
    }

    public static void main(String[] arguments) {
        try {
            trust(System.getenv("CA_FILE"));
            Client client = new Client();
            switch (arguments[0]) {
                case "code" -> client.signIn();
                case "client-credentials" -> client.clientCredentials();
                default -> throw new IllegalArgumentException("usage: run code|client-credentials");
            }
        } catch (Exception failure) {
            failure.printStackTrace();
            System.exit(1);
        }
    }

    private void signIn() throws Exception {
        URI redirect = URI.create(System.getenv("REDIRECT_URI"));
        CodeVerifier verifier = new CodeVerifier();
        State state = new State();
        Nonce nonce = new Nonce();
        AuthenticationRequest request =
                new AuthenticationRequest.Builder(new ResponseType("code"), scope, id, redirect)
                        .endpointURI(provider.getAuthorizationEndpointURI())
                        .state(state)
                        .nonce(nonce)
                        .codeChallenge(verifier, CodeChallengeMethod.S256)
                        .build();
        say(Map.of("authorize", request.toURI().toString()));
        String line = new BufferedReader(new InputStreamReader(System.in)).readLine();
        AuthorizationResponse back = AuthorizationResponse.parse(URI.create(line.trim()));
        require(state.equals(back.getState()), "the state did not come back");
        require(provider.getIssuer().equals(back.getIssuer()), "another issuer answered");
        AuthorizationCode code = back.toSuccessResponse().getAuthorizationCode();
        OIDCTokens tokens = ask(new AuthorizationCodeGrant(code, redirect, verifier));
        Map<String, Object> claims = checked(tokens, nonce);
        HTTPResponse answer =
                new UserInfoRequest(provider.getUserInfoEndpointURI(), tokens.getBearerAccessToken())
                        .toHTTPRequest()
                        .send();
        UserInfoResponse userinfo = UserInfoResponse.parse(answer);
        require(userinfo.indicatesSuccess(), "userinfo: " + answer.getStatusCode());
        OIDCTokens refreshed = ask(new RefreshTokenGrant(tokens.getRefreshToken()));
        Map<String, Object> refreshedClaims = checked(refreshed, null);
        RefreshToken last = refreshed.getRefreshToken();
        new TokenRevocationRequest(provider.getRevocationEndpointURI(), id, last).toHTTPRequest().send();
        HTTPResponse refused =
                new TokenRequest(provider.getTokenEndpointURI(), id, new RefreshTokenGrant(last), null)
                        .toHTTPRequest()
                        .send();
        Map<String, Object> said = new LinkedHashMap<>();
        said.put("claims", claims);
        said.put("userinfo", userinfo.toSuccessResponse().getUserInfo().toJSONObject());
        said.put("refreshed", refreshedClaims);
        said.put("after_revocation", TokenErrorResponse.parse(refused).getErrorObject().getCode());
        say(said);
    }

    private OIDCTokens ask(AuthorizationGrant grant) throws Exception {
        TokenRequest request = new TokenRequest(provider.getTokenEndpointURI(), id, grant, null);
        TokenResponse answer = OIDCTokenResponseParser.parse(request.toHTTPRequest().send());
        require(answer.indicatesSuccess(), "the token endpoint refused: " + answer.toHTTPResponse().getBody());
        return ((OIDCTokenResponse) answer.toSuccessResponse()).getOIDCTokens();
    }

    /** The claims of an ID token that is for us. */
    private Map<String, Object> checked(OIDCTokens tokens, Nonce nonce) throws Exception {
        IDTokenValidator validator =
                new IDTokenValidator(
                        provider.getIssuer(),
                        id,
                        JWSAlgorithm.RS256,
                        provider.getJWKSetURI().toURL(),
                        new DefaultResourceRetriever(10_000, 10_000));
        return validator.validate(tokens.getIDToken(), nonce).toJSONObject();
    }

    private void clientCredentials() throws Exception {
        ClientAuthentication secret = new ClientSecretBasic(id, new Secret(System.getenv("CLIENT_SECRET")));
        TokenRequest request =
                new TokenRequest(provider.getTokenEndpointURI(), secret, new ClientCredentialsGrant(), scope);
        TokenResponse answer = TokenResponse.parse(request.toHTTPRequest().send());
        require(answer.indicatesSuccess(), "refused: " + answer.toHTTPResponse().getBody());
        AccessToken token = answer.toSuccessResponse().getTokens().getAccessToken();
        TokenIntrospectionResponse active =
                TokenIntrospectionResponse.parse(
                        new TokenIntrospectionRequest(
                                        provider.getIntrospectionEndpointURI(), secret, token)
                                .toHTTPRequest()
                                .send());
        say(
                Map.of(
                        "token_type",
                        token.getType().getValue(),
                        "active",
                        active.toSuccessResponse().toJSONObject()));
    }

    private static void require(boolean condition, String otherwise) {
        if (!condition) {
            throw new IllegalStateException(otherwise);
        }
    }

    private static void say(Map<String, ?> value) {
        System.out.println(new JSONObject(value).toJSONString());
        System.out.flush();
    }

    /** Makes the file's certificates the ones that Java trusts. */
    private static void trust(String file) throws Exception {
        Collection<? extends Certificate> certificates;
        try (InputStream pem = new FileInputStream(file)) {
            certificates = CertificateFactory.getInstance("X.509").generateCertificates(pem);
        }
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(null, null);
        for (Certificate certificate : certificates) {
            store.setCertificateEntry("trusted-" + store.size(), certificate);
        }
        Path saved = Files.createTempFile("oidc-client-java", ".p12");
        saved.toFile().deleteOnExit();
        try (OutputStream out = Files.newOutputStream(saved)) {
            store.store(out, "changeit".toCharArray());
        }
        System.setProperty("javax.net.ssl.trustStore", saved.toString());
        System.setProperty("javax.net.ssl.trustStoreType", "PKCS12");
        System.setProperty("javax.net.ssl.trustStorePassword", "changeit");
    }
}
