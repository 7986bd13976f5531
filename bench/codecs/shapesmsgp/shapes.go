// Package shapesmsgp has types of package tests/shapes with methods that msgp generates. They
// have the same names on the wire.
package shapesmsgp

//go:generate go run github.com/tinylib/msgp@v1.6.5 -io=false -tests=false

type (
	Point   struct{ X, Y int32 }
	Numbers struct {
		A bool
		B int8
		C int16
		D int32
		E int64
		F int
		G uint8
		H uint16
		I uint32
		J uint64
		K uint
		L float32
		M float64
		N int64
	}
	Texts  struct{ A, B, C, D, E, F, G, H, I, J, K, L, M, N, O, P, Q, R, S, T string }
	Nested struct {
		Name  string
		Inner struct {
			Name  string
			Inner struct {
				Name  string
				Inner struct {
					Name string
					X, Y int32
				}
			}
		}
	}
	Order struct {
		ID     uint64
		Symbol string
		Side   uint8
		Price  float64
		Qty    int64
		Client string
		Tags   []string `msg:"Tags,allownil"`
		TS     int64
	}
	Node struct {
		Value int
		Next  *Node
	}
	Tree struct {
		Name string
		Kids []Tree `msg:"Kids,allownil"`
	}

	Bools    []bool
	Ints     []int
	Int64s   []int64
	Uint64s  []uint64
	Floats   []float64
	Float32s []float32
	Strings  []string
	Bytes    [][]byte
	Points   []Point
	Pointers []*Point
	Orders   []Order

	StringMap map[string]string
	BoolMap   map[string]bool
	IntMap    map[string]int
	FloatMap  map[string]float64
	ListMap   map[string][]string
	OrderMap  map[string]Order
	AnyMap    map[string]interface{}
	Anys      []interface{}

	Posts struct {
		Statuses []Post                 `msg:"statuses"`
		Meta     map[string]interface{} `msg:"search_metadata"`
	}
	Post struct {
		CreatedAt string                 `msg:"created_at"`
		ID        int64                  `msg:"id"`
		Text      string                 `msg:"text"`
		Source    string                 `msg:"source"`
		Truncated bool                   `msg:"truncated"`
		ReplyTo   *int64                 `msg:"in_reply_to_status_id"`
		User      User                   `msg:"user"`
		Retweets  int                    `msg:"retweet_count"`
		Favorites int                    `msg:"favorite_count"`
		Entities  map[string]interface{} `msg:"entities"`
		Lang      string                 `msg:"lang"`
		Retweeted *Post                  `msg:"retweeted_status"`
	}
	User struct {
		ID          int64  `msg:"id"`
		Name        string `msg:"name"`
		ScreenName  string `msg:"screen_name"`
		Location    string `msg:"location"`
		Description string `msg:"description"`
		Protected   bool   `msg:"protected"`
		Followers   int    `msg:"followers_count"`
		Friends     int    `msg:"friends_count"`
		CreatedAt   string `msg:"created_at"`
		Verified    bool   `msg:"verified"`
		Lang        string `msg:"lang"`
	}
)
