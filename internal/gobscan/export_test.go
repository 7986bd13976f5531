package gobscan

// Spent returns how much memory the last payload was estimated to cost.
func (s *Scanner) Spent() uint64 { return s.spent + s.churn }
