// The same Lookup as a Go team would write it: net/http, encoding/json, and a pool of pgx with prepared statements.
//
// The statement is the product's, which also verifies the caller and returns the revision of the store's settings; the
// settings are cached until it differs. Each request runs a statement of its own. Of a phone number only the digits are
// kept, which is less work than the product does.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"

	"github.com/jackc/pgx/v4"
	"github.com/jackc/pgx/v4/pgxpool"
)

const (
	alphabet    = "0123456789abcdefghjkmnpqrstvwxyz"
	maxBody     = 1 << 20
	maxAttempts = 5
	settingsSQL = `
		select store.id, store.revision, store.settings::text
		from credential
		left join store on store.account_id = credential.account_id and store.id = $3 and store.status = 'ACTIVE'
		where credential.sid = $1 and credential.secret_sha256 = $2`
)

var path = regexp.MustCompile(`^/v1/Stores/mem_(?:store|service)_([0-7][0-9a-z]{25})/Profiles/Lookup$`)

type uuid = [16]byte

type caller struct {
	sid    string
	digest []byte
}

type settings struct {
	revision       int64
	normalizations map[string]string
}

type identifier struct {
	IDType string `json:"idType"`
	Value  string `json:"value"`
}

type found struct {
	NormalizedValue string   `json:"normalizedValue"`
	Profiles        []string `json:"profiles"`
}

// refusal is an error with the HTTP status of its answer.
type refusal struct {
	status  int
	message string
}

func (r refusal) Error() string { return r.message }

type server struct {
	pool  *pgxpool.Pool
	known sync.Map // from the ID of a store to its *settings
}

func main() {
	workers, err := strconv.Atoi(os.Getenv("PEER_WORKERS"))
	if err != nil {
		log.Fatal(err)
	}
	runtime.GOMAXPROCS(workers)
	pool, err := connect(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	http.Handle("/v1/Stores/", &server{pool: pool})
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Getenv("PEER_PORT"), nil))
}

// connect opens the pool. The password is in PGPASSWORD.
func connect(ctx context.Context) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(fmt.Sprintf(
		"host=%s user=postgres database=%s sslmode=disable pool_max_conns=%s",
		os.Getenv("PEER_DATABASE_HOST"), os.Getenv("PEER_DATABASE"), os.Getenv("PEER_POOL_SIZE"),
	))
	if err != nil {
		return nil, err
	}
	for name, value := range map[string]string{
		"plan_cache_mode": "force_generic_plan", "enable_seqscan": "off", "jit": "off",
	} {
		config.ConnConfig.RuntimeParams[name] = value
	}
	config.AfterConnect = func(ctx context.Context, connection *pgx.Conn) error {
		if _, err := connection.Prepare(ctx, "lookup", os.Getenv("PEER_LOOKUP_SQL")); err != nil {
			return err
		}
		_, err := connection.Prepare(ctx, "settings", settingsSQL)
		return err
	}
	return pgxpool.ConnectConfig(ctx, config)
}

func (s *server) ServeHTTP(writer http.ResponseWriter, request *http.Request) {
	answer, err := s.answer(request)
	if err != nil {
		status := http.StatusInternalServerError
		var refused refusal
		if errors.As(err, &refused) {
			status = refused.status
		}
		http.Error(writer, err.Error(), status)
		return
	}
	body, err := json.Marshal(answer)
	if err != nil {
		http.Error(writer, err.Error(), http.StatusInternalServerError)
		return
	}
	writer.Header().Set("Content-Type", "application/json")
	writer.Write(body)
}

func (s *server) answer(request *http.Request) (*found, error) {
	match := path.FindStringSubmatch(request.URL.Path)
	if match == nil || request.Method != http.MethodPost {
		return nil, refusal{http.StatusNotFound, "Not found"}
	}
	storeID, isID := decoded(match[1])
	if !isID {
		return nil, refusal{http.StatusNotFound, "Store not found"}
	}
	sid, secret, isBasic := request.BasicAuth()
	if !isBasic {
		return nil, refusal{http.StatusUnauthorized, "Invalid credentials"}
	}
	digest := sha256.Sum256([]byte(secret))
	var sent identifier
	if err := json.NewDecoder(http.MaxBytesReader(nil, request.Body, maxBody)).Decode(&sent); err != nil {
		return nil, refusal{http.StatusBadRequest, "Expected JSON"}
	}
	if len(sent.IDType) < 2 || len(sent.IDType) > 30 || len(sent.Value) < 1 || len(sent.Value) > 255 {
		return nil, refusal{http.StatusBadRequest, "Expected idType and value"}
	}
	return s.lookUp(request.Context(), caller{sid, digest[:]}, storeID, sent)
}

// lookUp uses the cached settings first. If they are not in force, or refuse the value, it fetches them.
func (s *server) lookUp(ctx context.Context, by caller, storeID uuid, sent identifier) (*found, error) {
	cached, _ := s.known.Load(storeID)
	rules, _ := cached.(*settings)
	for attempt := 0; attempt < maxAttempts; attempt++ {
		isFresh := rules == nil
		if isFresh {
			var err error
			if rules, err = s.fetchSettings(ctx, by, storeID); err != nil {
				return nil, err
			}
		}
		value := normalized(rules.normalizations[sent.IDType], sent.Value)
		if value == "" && isFresh {
			return nil, refusal{http.StatusBadRequest, "Value refused"}
		}
		if value != "" {
			profiles, isInForce, err := s.find(ctx, by, storeID, rules, sent.IDType, value)
			if err != nil {
				return nil, err
			}
			if isInForce {
				return &found{value, profiles}, nil
			}
		}
		rules = nil
	}
	return nil, refusal{http.StatusServiceUnavailable, "Unavailable"}
}

func (s *server) find(
	ctx context.Context, by caller, storeID uuid, rules *settings, idType, value string,
) (profiles []string, isInForce bool, err error) {
	var revision int64
	var ids []uuid
	row := s.pool.QueryRow(ctx, "lookup", by.sid, by.digest, storeID, idType, value)
	if err = row.Scan(&revision, &ids); errors.Is(err, pgx.ErrNoRows) {
		return nil, false, nil
	}
	if err != nil || revision != rules.revision {
		return nil, false, err
	}
	profiles = make([]string, len(ids))
	for i, id := range ids {
		profiles[i] = profileID(id)
	}
	return profiles, true, nil
}

func (s *server) fetchSettings(ctx context.Context, by caller, storeID uuid) (*settings, error) {
	var id, document *string
	var revision *int64
	row := s.pool.QueryRow(ctx, "settings", by.sid, by.digest, storeID)
	if err := row.Scan(&id, &revision, &document); errors.Is(err, pgx.ErrNoRows) {
		return nil, refusal{http.StatusUnauthorized, "Invalid credentials"}
	} else if err != nil {
		return nil, err
	}
	if revision == nil || document == nil {
		return nil, refusal{http.StatusNotFound, "Store not found"}
	}
	var stored struct {
		Configs []struct {
			IDType        string `json:"id_type"`
			Normalization string `json:"normalization"`
		} `json:"identifier_configs"`
	}
	if err := json.Unmarshal([]byte(*document), &stored); err != nil {
		return nil, err
	}
	rules := &settings{*revision, map[string]string{}}
	for _, config := range stored.Configs {
		rules.normalizations[config.IDType] = config.Normalization
	}
	s.known.Store(storeID, rules)
	return rules, nil
}

// normalized returns "" for a value that is refused, and for a type that is not configured.
func normalized(normalization, value string) string {
	switch normalization {
	case "phone":
		return phone(value)
	case "email":
		return strings.ToLower(strings.Join(strings.Fields(value), ""))
	case "trim":
		return strings.TrimSpace(value)
	case "none":
		return value
	}
	return ""
}

func phone(value string) string {
	digits := make([]byte, 0, len(value))
	for i := 0; i < len(value); i++ {
		if '0' <= value[i] && value[i] <= '9' {
			digits = append(digits, value[i])
		}
	}
	if len(digits) < 8 || len(digits) > 15 {
		return ""
	}
	if len(digits) == 10 && !strings.HasPrefix(value, "+") {
		return "+1" + string(digits)
	}
	return "+" + string(digits)
}

// profileID encodes the 128 bits of a UUID as 26 characters of 5 bits, the first of which has 2 leading zero bits.
func profileID(id uuid) string {
	text := []byte("mem_profile_00000000000000000000000000")
	high, low := halves(id)
	for place := len(text) - 1; place >= len(text)-26; place-- {
		text[place] = alphabet[low&31]
		low = low>>5 | high<<59
		high >>= 5
	}
	return string(text)
}

func halves(id uuid) (high, low uint64) {
	for i := 0; i < 8; i++ {
		high = high<<8 | uint64(id[i])
		low = low<<8 | uint64(id[i+8])
	}
	return high, low
}

func decoded(text string) (id uuid, isID bool) {
	var high, low uint64
	for i := 0; i < len(text); i++ {
		digit := strings.IndexByte(alphabet, text[i])
		if digit < 0 {
			return id, false
		}
		high = high<<5 | low>>59
		low = low<<5 | uint64(digit)
	}
	for i := 7; i >= 0; i-- {
		id[i], id[i+8] = byte(high), byte(low)
		high, low = high>>8, low>>8
	}
	return id, true
}
