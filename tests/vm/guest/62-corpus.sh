# Each construct of the language, which the corpus has: the first half of its scripts.

a_to_h() { corpus_loads '[a-h]*'; }
check corpus-a-to-h a_to_h

i_to_m() { corpus_loads '[i-m]*'; }
check corpus-i-to-m i_to_m
