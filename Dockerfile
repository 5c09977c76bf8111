# linreg in a container: docker build -t linreg . && docker run --rm -v "$PWD:/work" linreg train -c config.yaml
FROM python:3.12-slim

# Options of pip, such as those of a torch without CUDA, which "Start Locally" of pytorch.org shows.
ARG PIP_OPTIONS=""

WORKDIR /linreg
COPY pyproject.toml README.md LICENSE constraints.txt ./
COPY linreg_cli linreg_cli
RUN pip install --no-cache-dir ${PIP_OPTIONS} --constraint constraints.txt .

# A user of any number may run it (--user "$(id -u):$(id -g)"); caches of a container go with it.
ENV HOME=/tmp
WORKDIR /work
ENTRYPOINT ["linreg"]
CMD ["--help"]
