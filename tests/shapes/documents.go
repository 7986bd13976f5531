package shapes

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// Posts is a page of short posts.
type (
	Posts struct {
		Statuses []Post         `msgpack:"statuses" json:"statuses"`
		Meta     map[string]any `msgpack:"search_metadata" json:"search_metadata"`
	}
	Post struct {
		CreatedAt string         `msgpack:"created_at" json:"created_at"`
		ID        int64          `msgpack:"id" json:"id"`
		Text      string         `msgpack:"text" json:"text"`
		Source    string         `msgpack:"source" json:"source"`
		Truncated bool           `msgpack:"truncated" json:"truncated"`
		ReplyTo   *int64         `msgpack:"in_reply_to_status_id" json:"in_reply_to_status_id"`
		User      User           `msgpack:"user" json:"user"`
		Retweets  int            `msgpack:"retweet_count" json:"retweet_count"`
		Favorites int            `msgpack:"favorite_count" json:"favorite_count"`
		Entities  map[string]any `msgpack:"entities" json:"entities"`
		Lang      string         `msgpack:"lang" json:"lang"`
		Retweeted *Post          `msgpack:"retweeted_status" json:"retweeted_status"`
	}
	User struct {
		ID          int64  `msgpack:"id" json:"id"`
		Name        string `msgpack:"name" json:"name"`
		ScreenName  string `msgpack:"screen_name" json:"screen_name"`
		Location    string `msgpack:"location" json:"location"`
		Description string `msgpack:"description" json:"description"`
		Protected   bool   `msgpack:"protected" json:"protected"`
		Followers   int    `msgpack:"followers_count" json:"followers_count"`
		Friends     int    `msgpack:"friends_count" json:"friends_count"`
		CreatedAt   string `msgpack:"created_at" json:"created_at"`
		Verified    bool   `msgpack:"verified" json:"verified"`
		Lang        string `msgpack:"lang" json:"lang"`
	}
)

func documents() []Shape {
	posts := somePosts(200)
	return as(Document,
		of("a document of 50 objects, as any", any(objects(50))),
		of("a catalogue of maps, as any", any(catalogue(200))),
		of("coordinates, as any", any(coordinates(100, 120))),
		of("posts with Japanese text, as any", loose(posts)),
		of("posts with Japanese text, as structs", posts),
	)
}

// Files returns the documents in dir: JSON files as an any, and posts.json, if it is there, as Posts, too.
func Files(dir string) ([]Shape, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return nil, err
	}
	var all []Shape
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		var v any
		if err := json.Unmarshal(text, &v); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		base := filepath.Base(name)
		all = append(all, of(base+", as any", v))
		if base == "posts.json" {
			var posts Posts
			if err := json.Unmarshal(text, &posts); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			all = append(all, of(base+", as structs", posts))
		}
	}
	return as(Document, all...), nil
}

// loose returns v as what a program has that knows nothing of its type.
func loose(v any) (l any) {
	text, err := json.Marshal(v)
	if err == nil {
		err = json.Unmarshal(text, &l)
	}
	if err != nil {
		panic(err)
	}
	return l
}

func objects(n int) []any {
	return anys(n, func(i int) map[string]any {
		return map[string]any{
			"id": i, "name": name(i), "active": i%2 == 0, "score": float64(i) / 3,
			"tags":  []any{"red", "green", "blue"},
			"place": map[string]any{"lat": 52.5, "lon": 13.4, "city": "Berlin"},
		}
	})
}

// catalogue has events with performances, and names by number.
func catalogue(n int) map[string]any {
	names := make(map[string]any)
	events := make(map[string]any)
	var performances []any
	for i := range n {
		id := 138586341 + 30*i
		names[fmt.Sprint(id)] = fmt.Sprintf("Pleyel, salle %d", i)
		events[fmt.Sprint(id)] = map[string]any{
			"id": id, "name": fmt.Sprintf("Orchestre n° %d", i), "description": nil, "logo": nil, "subjectCode": nil, "subtitle": nil,
			"subTopicIds": []any{337184269, 337184283, 337184262 + i%9}, "topicIds": []any{324846099, 107888604},
		}
		for k := range 2 {
			performances = append(performances, map[string]any{
				"eventId": id, "id": id*3 + k, "logo": nil, "name": nil, "start": 1372701600000 + i, "venueCode": "PLEYEL_PLEYEL",
				"prices": []any{
					map[string]any{"amount": 90250, "audienceSubCategoryId": 337100890, "seatCategoryId": 338937295},
					map[string]any{"amount": 66500, "audienceSubCategoryId": 337100890, "seatCategoryId": 338937296},
				},
				"seatCategories": []any{
					map[string]any{"areas": []any{map[string]any{"areaId": 205705999, "blockIds": []any{}}}, "seatCategoryId": 338937295},
					map[string]any{"areas": []any{map[string]any{"areaId": 205705998, "blockIds": []any{}}}, "seatCategoryId": 338937296},
				},
			})
		}
	}
	return map[string]any{"areaNames": names, "events": events, "performances": performances}
}

// coordinates has the borders of an area.
func coordinates(rings, points int) map[string]any {
	return map[string]any{
		"type": "FeatureCollection",
		"features": []any{map[string]any{
			"type": "Feature", "properties": map[string]any{"name": "Somewhere"},
			"geometry": map[string]any{"type": "Polygon", "coordinates": anys(rings, func(i int) []any {
				return anys(points, func(k int) []any { return []any{-65.6 - float64(i)/7, 43.4 + float64(k)/13} })
			})},
		}},
	}
}

func somePosts(n int) Posts {
	text := []string{
		"名前:前田あゆみ 第一印象:なんか怖っ!今の印象:とりあえずキモい。噛み合わない", "明日も一日がんばりましょう、ではおやすみなさい",
		"Just landed, and it is raining again.", "RT 今日のお昼はカレーでした🍛 とても美味しかった",
	}
	posts := Posts{Meta: map[string]any{"count": n, "query": "一", "completed_in": 0.035}}
	for i := range n {
		p := Post{
			CreatedAt: "Sun Aug 31 00:29:15 +0000 2014", ID: 505874924095815681 + int64(i), Text: fmt.Sprint(text[i%len(text)], i),
			Source: "<a href=\"https://example.com\">web</a>", Lang: "ja", Retweets: i,
			User: User{
				ID: 1186275104 + int64(i), Name: "結城" + name(i), ScreenName: name(i), Description: "元野球部マネージャー❤…最高の夏をありがとう…❤",
				Followers: i * 17, Friends: i, CreatedAt: "Sun Aug 31 00:29:15 +0000 2014", Lang: "ja",
			},
			Entities: map[string]any{
				"hashtags": []any{}, "symbols": []any{}, "urls": []any{},
				"user_mentions": []any{map[string]any{"screen_name": "AYUMI", "name": "前田あゆみ", "id": 866260188, "indices": []any{3, 9}}},
			},
		}
		if i%4 == 0 {
			reply := p.ID - 1
			p.ReplyTo = &reply
		}
		if i%3 == 1 {
			again := posts.Statuses[i-1]
			p.Retweeted = &again
		}
		posts.Statuses = append(posts.Statuses, p)
	}
	return posts
}
