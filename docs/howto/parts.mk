# Summarise a table in N parts, several at once, and merge them: make -j4 -f parts.mk CONFIG=parts.yaml N=8
N ?= 4
PARTS := $(foreach i,$(shell seq 1 $(N)),part-$(i).safetensors)

all.safetensors: $(PARTS)
	linreg stats merge $(PARTS) -o $@

part-%.safetensors: $(CONFIG)
	linreg stats -c $(CONFIG) --part $*/$(N) -o $@
